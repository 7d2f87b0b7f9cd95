"""What is true of assessments; pure."""

"""The rules, a file each; pure."""

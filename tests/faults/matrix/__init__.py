"""The crash matrix: real processes killed at named points while the PSP behaves well or badly."""

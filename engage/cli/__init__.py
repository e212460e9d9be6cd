"""The command line: what people type, what they read back, and the exit codes scripts rely on."""

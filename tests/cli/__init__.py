"""The commands as their users meet them: output, messages, exit codes."""

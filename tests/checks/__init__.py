"""Every conformance check, seen to fail: each has a known-bad twin that breaks one thing."""

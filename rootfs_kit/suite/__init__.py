"""What the conformance suite is made of, apart from the checks themselves: markers, findings, profiles, verdicts."""

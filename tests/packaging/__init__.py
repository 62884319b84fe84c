"""The package as others get it, and the rules that the whole project keeps."""

"""Trees written out as archives, and what the real tools and the kernel make of them."""

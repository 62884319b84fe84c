"""rootfs-kit builds guest root filesystems for Kata Containers and judges whether any rootfs is fit to boot.

The command line imports this package before pytest starts; PYTEST_DONT_REWRITE in this docstring tells pytest
that this one module needs no assertion rewriting, so that `-W error` runs stay quiet.
"""

__version__ = "0.1.0"

"""``python -m radpair``."""

from radpair.cli import main

main()

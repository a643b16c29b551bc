"""`python -m specflow`: the command line."""

from specflow.cli import main

if __name__ == "__main__":
    main()

"""`python -m parties.cli` is `mpc`."""

from parties.cli.command import main

if __name__ == "__main__":
    main()

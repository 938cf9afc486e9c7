"""The same jobs timed here and in other frameworks: `make bench`. Not part of the package."""

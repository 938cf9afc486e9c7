"""What may be relied on from outside: `beaverlodge.protocol` for authors of protocols, `mpc.testing` for their tests.

All else may change from one version to the next. Nothing is imported here, so that `import beaverlodge` costs nothing.
"""

"""The conformance page: each of its rows holds, and its protocols are held by the kit."""

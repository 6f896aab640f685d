"""What is not part of the language: Python functions behind `call`, and operations of other packages.

A spec names them and never gets them by itself: the caller allows modules, with `allow=["package.module"]` or
`--allow package.module`. What is not allowed is not imported.
"""

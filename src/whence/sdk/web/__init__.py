"""What a web request says about itself becomes context of the traces that it starts.

`whence.web` is the public door. Nothing here is loaded by `import whence`, and no framework is
imported: those that the program uses are recognised among what it has loaded.
"""

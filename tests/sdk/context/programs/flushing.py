from shop.asking import ask

import whence

ask()
whence.flush()

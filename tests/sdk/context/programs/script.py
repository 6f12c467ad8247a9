from shop.asking import ask

ask()

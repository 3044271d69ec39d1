"`python -m l1g1000` is the command `l1g1000`"
from .cli import main

main()

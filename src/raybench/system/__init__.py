"""What the operating system says: cores, process trees, the record of the machine, interference."""

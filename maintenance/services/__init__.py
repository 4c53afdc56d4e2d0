"""What changes the rows of maintenance, one function per verb."""

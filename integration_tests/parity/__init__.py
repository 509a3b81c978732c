"""How far the engines agree: every op of the table against NumPy and Keras, cell by cell."""

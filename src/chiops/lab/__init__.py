"""Labs: what a lab file declares (`spec`), how it is read (`loader`), compared (`plan`), made (`apply`) and configured."""

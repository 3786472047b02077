"""Characters with boxes → printed lines in reading order, horizontal or vertical.

    page        a page's characters → its rows in reading order (`arrange`)
    direction   which way the page, or a line across it, is set
    lines       characters → lines with their text and ruby
    columns     lines → the order of columns and tiers
    tables      characters between rules → rows of cells
    shapes      what these hand to one another

Everything happens in reading coordinates: `u` runs along a line and `v` from line
to line. A horizontal page has u = x, v = y; a vertical one u = y, v = −x, so that
two columns of a horizontal page and two tiers of a vertical one are the same thing.
Lengths are points, boxes have their origin at the top left.
"""

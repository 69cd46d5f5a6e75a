"""Polar files by Py-ART or xradar: ``read_polar.py LIBRARY TIMES FILE...``.

Prints the seconds of CPU of the fastest reading of all files after the first, fields loaded.
"""

import json
import os
import sys
import time
import warnings

os.environ["PYART_QUIET"] = "1"
warnings.simplefilter("ignore")
library, times, *paths = sys.argv[1:]


def by_pyart(path):
    """Read with Py-ART, whose fields are decoded at once."""
    import pyart

    if path.endswith(".h5"):
        return pyart.aux_io.read_odim_h5(path)
    if path.endswith(".nc"):
        return pyart.io.read_cfradial(path)
    return pyart.io.read_nexrad_archive(path)


def by_xradar(path):
    """Read with xradar, and load what it would load later."""
    import xradar

    if path.endswith(".h5"):
        return xradar.io.open_odim_datatree(path).load()
    if path.endswith(".nc"):
        return xradar.io.open_cfradial1_datatree(path).load()
    return xradar.io.open_nexradlevel2_datatree(path).load()


read = {"Py-ART": by_pyart, "xradar": by_xradar}[library]
spent = []
for _ in range(1 + int(times)):
    start = time.process_time()
    for path in paths:
        read(path)
    spent.append(time.process_time() - start)
print(json.dumps({"seconds": min(spent[1:])}))

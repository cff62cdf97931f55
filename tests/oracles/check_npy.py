"""NumPy's own view of .npy files, as an oracle for lib/music/npy.

check_npy.py describe FILE   prints "DTYPE SHAPE VALUES", for example "uint16 (3,) [1, 2, 3]"
check_npy.py write DIR       writes 0, 1, 255 as DIR/VERSION_DTYPE.npy for every dtype a token file may have
"""

import sys

import numpy as np

TOKEN_DTYPES = ["u1", "<u2", "<u4", "<i4", "<i8"]


def describe(path):
    array = np.load(path, allow_pickle=False)
    print(array.dtype, array.shape, array.tolist())


def write(directory):
    for version in [(1, 0), (2, 0)]:
        for dtype in TOKEN_DTYPES:
            name = f"{directory}/{version[0]}_{dtype.strip('<')}.npy"
            with open(name, "wb") as file:
                np.lib.format.write_array(file, np.array([0, 1, 255], dtype=dtype), version=version)


if __name__ == "__main__":
    {"describe": describe, "write": write}[sys.argv[1]](sys.argv[2])

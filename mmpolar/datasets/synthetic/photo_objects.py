"""Objects in photographs of installed packages, contours drawn by hand: what a tracker meets is real."""

from dataclasses import dataclass

import numpy as np

from mmpolar.datasets.synthetic.photographs import find_photographs, read_photograph


@dataclass(frozen=True)
class PhotoObject:
    """A thing in a photograph.

    Attributes:
        photograph: Name of the photograph.
        contour: Corners of its contour, ``x,y`` in pixels of the photograph, separated by blanks.
    """

    photograph: str
    contour: str

    @property
    def polygon(self) -> np.ndarray:
        """Corners of the contour, (V, 2) float64."""
        return np.array([corner.split(',') for corner in self.contour.split()], np.float64)

    def read(self) -> np.ndarray:
        """The photograph, uint8 BGR (H, W, 3), read-only.

        Raises:
            FileNotFoundError: If the package that holds it is not installed.
        """
        return read_named_photograph(self.photograph)


def read_named_photograph(name: str) -> np.ndarray:
    """The pixels of a photograph, read-only uint8 BGR (H, W, 3).

    Raises:
        FileNotFoundError: If the package that holds it is not installed.
    """
    for photo in find_photographs():
        if photo.name == name:
            return read_photograph(photo)
    raise FileNotFoundError(
        f'the photograph {name!r} is in none of the installed packages; install them with: '
        'pip install scikit-image scikit-learn'
    )


PHOTO_OBJECTS = {
    'coffee': PhotoObject(
        photograph='coffee',
        contour="""
    269,18 299,18 325,23 342,29 419,70 423,75 465,169 476,199 479,218 479,238 472,270
    464,290 447,316 429,335 398,358 373,374 186,369 145,344 114,315 95,287 77,248 75,232
    78,186 88,152 104,127 135,95 205,44 223,32 239,25
        """,
    ),
    'coin': PhotoObject(
        photograph='coins',
        contour="""
    234,193 234,198 232,203 230,207 226,211 222,214 217,215 212,216 207,215 202,214 198,211
    194,207 192,203 190,198 190,193 190,188 192,183 194,179 198,175 202,172 207,171 212,170
    217,171 222,172 226,175 230,179 232,183 234,188
        """,
    ),
    'head': PhotoObject(
        photograph='astronaut',
        contour="""
    153,72 155,62 163,52 172,44 188,35 196,28 205,23 220,18 232,15 245,17 258,21 272,29
    285,37 293,50 297,62 300,76 302,88 297,103 290,113 282,121 277,131 271,137 267,136
    265,150 260,160 257,172 254,184 245,189 236,191 225,190 210,186 196,185 188,180 186,165
    185,155 183,143 182,131 177,130 172,124 170,118 163,111 156,100 154,88
        """,
    ),
    'motorcycle': PhotoObject(
        photograph='motorcycle_left',
        contour="""
    93,202 102,196 125,202 145,205 142,170 139,149 155,145 167,160 210,167 246,167 265,185
    300,195 337,189 357,192 390,177 386,160 362,176 355,167 385,147 410,130 425,122 437,135
    465,142 467,125 492,115 495,80 507,77 525,92 542,100 535,107 537,122 555,127 565,119
    580,122 581,135 570,142 561,140 561,162 550,185 565,220 577,260 610,272 635,290 644,301
    637,312 660,335 677,365 685,400 677,430 660,446 630,451 595,440 560,410 530,370 515,335
    507,330 505,315 512,295 530,280 510,235 492,225 480,230 460,240 477,255 477,315 465,345
    435,370 405,380 365,374 345,370 347,405 335,410 340,432 325,436 327,385 317,365 280,355
    265,380 235,396 200,401 170,390 140,360 122,320 125,280 137,255 160,242 150,240 120,240
    110,246 101,242 102,227 95,217
        """,
    ),
    'flower': PhotoObject(
        photograph='flower',
        contour="""
    324,86 304,87 299,91 291,92 283,98 261,96 249,99 229,114 215,116 207,124 205,134 196,138
    191,143 188,150 188,169 180,170 177,174 178,194 170,201 169,208 170,232 173,236 171,247
    173,263 178,268 179,276 184,282 187,295 197,304 202,316 212,324 227,325 233,337 245,349
    267,349 290,359 335,357 348,350 359,349 367,343 372,343 384,333 395,331 405,321 408,309
    416,302 417,296 425,288 429,274 435,266 438,251 443,244 445,212 442,208 439,194 431,183
    431,163 428,158 427,149 421,140 411,133 409,125 397,113 388,113 378,102 372,99 358,99
    349,93 333,93
        """,
    ),
}

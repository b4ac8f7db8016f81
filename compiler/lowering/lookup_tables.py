"""The activation tables of the chip's function library.

A table approximates one function by a polynomial of degree 4 in each of 8 segments of x
(absolute x, not relative to the segment). The numbers are constants of the chip's function
library: every program loads one of these six tables bit by bit; scales and zero points
never enter them. Facts: docs/format/instructions.md, "Lookup tables".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from ..errors import InternalError
from ..fast_dataclass import dataclass
from .program import ALL_TILES, LoadLookup

SEGMENTS = 8
TERMS = 5


@dataclass(frozen=True, slots=True)
class LookupTable:
    """One table and what it stands for.

    formula, function: what it approximates, for x in [low, high], and how well
    (`error`: largest absolute difference there, in units of the table's result).
    odd: the table holds x >= 0 only; the chip looks up |x| and gives the result x's sign.
    coefficients: 8 segments x 5, constant term first. breakpoints: 7, ascending; the
    segment of x is the number of breakpoints <= x.
    """

    name: str
    formula: str
    function: Callable[[float], float]
    low: float
    high: float
    error: float
    coefficients: tuple[float, ...]
    breakpoints: tuple[float, ...]
    odd: bool = False

    def evaluate(self, x: float) -> float:
        """The table's polynomial at x, in double precision."""
        position = abs(x) if self.odd else x
        segment = sum(position >= start for start in self.breakpoints)
        terms = self.coefficients[segment * TERMS : (segment + 1) * TERMS]
        result = 0.0
        for term in reversed(terms):
            result = result * position + term
        return -result if self.odd and x < 0 else result


def load_lookup(name: str, tiles: int = ALL_TILES) -> LoadLookup:
    """The instruction that loads a table (a key of `lookup_tables`) on `tiles`."""
    table = lookup_tables().get(name)
    if table is None:
        raise InternalError("no such lookup table", actual=name, allowed=sorted(lookup_tables()))
    return LoadLookup(tiles=tiles, coefficients=table.coefficients, breakpoints=table.breakpoints)


@cache
def lookup_tables() -> dict[str, LookupTable]:
    """All tables by name."""
    tables = (
        _table(
            "sigmoid_256",
            "256 / (1 + exp(-x))",
            _sigmoid(256),
            _SIGMOID_256,
            (-12, 12),
            error=0.343,
        ),
        _table(
            "sigmoid_255",
            "255 / (1 + exp(-x))",
            _sigmoid(255),
            _SIGMOID_255,
            (-12, 12),
            error=0.343,
        ),
        _table(
            "exponential", "65536 * exp(x)", _exponential, _EXPONENTIAL, (-13.03, 0), error=1.08
        ),
        _table(
            "inverse_root", "65535 / sqrt(2 * x)", _inverse_root, _INVERSE_ROOT, (1, 4), error=0.252
        ),
        _table("tanh_127", "127.5 * tanh(x)", _tanh(127.5), _TANH_127, (-6, 6), error=0.00025),
        _table(
            "tanh_16383", "16383.5 * tanh(x)", _tanh(16383.5), _TANH_16383, (-6, 6), error=0.0315
        ),
    )
    return {table.name: table for table in tables}


_Function = Callable[[float], float]


def _sigmoid(scale: float) -> _Function:
    return lambda x: scale / (1 + math.exp(-x))


def _tanh(scale: float) -> _Function:
    return lambda x: scale * math.tanh(x)


def _exponential(x: float) -> float:
    return 65536 * math.exp(x)


def _inverse_root(x: float) -> float:
    return 65535 / math.sqrt(2 * x)


def _table(
    name: str,
    formula: str,
    function: _Function,
    numbers: str,
    interval: tuple[float, float],
    *,
    error: float,
) -> LookupTable:
    values = tuple(float.fromhex(number) for number in numbers.split())
    split = SEGMENTS * TERMS
    return LookupTable(
        name=name,
        formula=formula,
        function=function,
        low=interval[0],
        high=interval[1],
        error=error,
        coefficients=values[:split],
        breakpoints=values[split:],
        odd=name.startswith("tanh"),
    )


# Five coefficients a line, one line a segment, then the seven breakpoints.

_SIGMOID_256 = """
0x1.00a938p+5  0x1.bb6f8cp+3  0x1.2234ep+1  0x1.53ef76p-3  0x1.2be4cp-8
0x1.09430ep+7  0x1.56d006p+6  0x1.5dc048p+4  0x1.4a3d7p+1  0x1.e26d6cp-4
0x1.0eeac4p+7  0x1.48d6c6p+6  0x1.06e3fap+4  0x1.0ad034p-1  -0x1.09901ep-3
0x1.0000d4p+7  0x1.ffc72cp+5  -0x1.518ffcp-2  -0x1.93eafap+2  -0x1.2981c8p+0
0x1.00017p+7  0x1.ff6662p+5  0x1.e4d05ap-2  -0x1.9e6b6ap+2  0x1.396564p+0
0x1.bb8f8cp+6  0x1.8ad8dep+6  -0x1.ae4022p+4  0x1.b7cb8cp+1  -0x1.5feda6p-3
0x1.87aeap+7  0x1.df7816p+4  -0x1.6d539ap+2  0x1.f6190cp-2  -0x1.0585aep-6
0x1.e998aep+7  0x1.0aac18p+2  -0x1.2d06aap-1  0x1.30fc54p-5  -0x1.d34b08p-11
-0x1.68f362p+2  -0x1.7b925cp+1  -0x1.5743eap+0  0x1.60d3fp-4
0x1.ce3f78p+0  0x1.334686p+2  0x1.0f1e14p+3
"""

_SIGMOID_255 = """
0x1.ff511cp+4  0x1.b9b41ap+3  0x1.2112aap+1  0x1.529b86p-3  0x1.2ab8dap-8
0x1.0839cap+7  0x1.557934p+6  0x1.5c6286p+4  0x1.48f332p+1  0x1.e08afcp-4
0x1.0ddbd8p+7  0x1.478deep+6  0x1.05dd14p+4  0x1.09c562p-1  -0x1.08868cp-3
0x1.fe01a4p+6  0x1.fdc762p+5  -0x1.503e6ap-2  -0x1.92570ep+2  -0x1.285846p+0
0x1.fe02dcp+6  0x1.fd66fap+5  0x1.e2eb88p-2  -0x1.9cccfcp+2  0x1.382bfep+0
0x1.b9d3fap+6  0x1.894e04p+6  -0x1.ac91ep+4  0x1.b613bep+1  -0x1.5e8db6p-3
0x1.8626fp+7  0x1.dd989cp+4  -0x1.6be644p+2  0x1.f422fp-2  -0x1.048028p-6
0x1.e7af14p+7  0x1.09a16ap+2  -0x1.2bd9a2p-1  0x1.2fcb56p-5  -0x1.d177bcp-11
-0x1.68f362p+2  -0x1.7b925cp+1  -0x1.5743eap+0  0x1.60d3fp-4
0x1.ce3f78p+0  0x1.334686p+2  0x1.0f1e14p+3
"""

_EXPONENTIAL = """
0x1.cbeab8p+10  0x1.3b1b92p+9  0x1.455f5p+6  0x1.2b9568p+2  0x1.9e8b84p-4
0x1.b342dp+13  0x1.aaa9ecp+12  0x1.408254p+10  0x1.b36b0ap+6  0x1.c1b03ep+1
0x1.02437cp+15  0x1.44802ep+14  0x1.3fd2c8p+12  0x1.225f7cp+9  0x1.96bba6p+4
0x1.893fep+15  0x1.2bc984p+15  0x1.738194p+13  0x1.b46de2p+10  0x1.943b1ap+6
0x1.db37fp+15  0x1.a38a58p+15  0x1.3e138ep+14  0x1.e05d1ap+11  0x1.29743ap+8
0x1.fa94aep+15  0x1.e9ab28p+15  0x1.b54d4cp+14  0x1.a6e4bcp+12  0x1.69a67ap+9
0x1.ffecc2p+15  0x1.ff2868p+15  0x1.f85422p+14  0x1.340c82p+13  0x1.8e55d4p+10
0x1.fffep+15  0x1.fffde6p+15  0x1.fff53cp+14  0x1.5440f8p+13  0x1.38f8c6p+11
-0x1.ff28eap+2  -0x1.5ec0ap+2  -0x1.f76112p+1  -0x1.5969d8p+1
-0x1.c1f352p+0  -0x1.d57b2ap-1  -0x1.64ce3ep-3
"""

_INVERSE_ROOT = """
0x1.ac5f68p+16  -0x1.07ec6cp+17  0x1.b6ae44p+16  -0x1.817c6ap+15  0x1.146af6p+13
0x1.85ca28p+16  -0x1.8d878ap+16  0x1.114d5ap+16  -0x1.8d24aep+14  0x1.d6af54p+11
0x1.5e7afcp+16  -0x1.20fb34p+16  0x1.413f88p+15  -0x1.7968b2p+13  0x1.69a0f2p+10
0x1.3a27a4p+16  -0x1.a02fbap+15  0x1.739e7ep+14  -0x1.5e9f6cp+12  0x1.0dc502p+9
0x1.19308ep+16  -0x1.2a753cp+15  0x1.ab1266p+13  -0x1.42e492p+11  0x1.8e319p+7
0x1.f9dd18p+15  -0x1.b27ce6p+14  0x1.f72e98p+12  -0x1.33f366p+10  0x1.337502p+6
0x1.ceade6p+15  -0x1.4c9502p+14  0x1.428632p+12  -0x1.4ac11p+9  0x1.14d322p+5
0x1.ceade6p+15  -0x1.4c9502p+14  0x1.428632p+12  -0x1.4ac11p+9  0x1.14d322p+5
0x1.2ca8b4p+0  0x1.73e43ap+0  0x1.cbfb5p+0  0x1.200dd6p+1
0x1.6654a6p+1  0x1.b7ff32p+1  inf
"""

_TANH_127 = """
-0x1.1edffep-47  0x1.fdee28p+6  0x1.ce3898p-2  -0x1.729df4p+5  0x1.aa434p+3
-0x1.acc79ep-4  0x1.00265ap+7  0x1.b5f3ep-3  -0x1.906e4ap+5  0x1.30b9b6p+4
-0x1.77da8ap+2  0x1.395dfap+7  -0x1.ad20b2p+5  -0x1.1a73acp+2  0x1.163106p+2
-0x1.332d68p+4  0x1.945e4p+7  -0x1.c1743cp+6  0x1.d87be2p+4  -0x1.8859fap+1
0x1.664b32p+3  0x1.1e5d7ep+7  -0x1.14d888p+6  0x1.edf04p+3  -0x1.5495dcp+0
0x1.ef9404p+5  0x1.0eacfcp+6  -0x1.ae7822p+4  0x1.36ee3ap+2  -0x1.56d79ep-2
0x1.a6acdcp+6  0x1.1f552ep+4  -0x1.67751cp+2  0x1.943aeap-1  -0x1.580edep-5
0x1.f27856p+6  0x1.c97af6p+0  -0x1.aba632p-2  0x1.64cd28p-5  -0x1.bff44p-10
0x1.706d28p-2  0x1.8fbc16p-1  0x1.2caa66p+0  0x1.03d926p+1
0x1.579e42p+1  0x1.c60ca4p+1  0x1.3587e8p+2
"""

_TANH_16383 = """
-0x1.1ffdcp-40  0x1.ffea18p+13  0x1.d00502p+5  -0x1.740f2p+12  0x1.abebd8p+10
-0x1.ae72bap+3  0x1.01258p+14  0x1.b7a81ep+4  -0x1.91fd28p+12  0x1.31e93ep+11
-0x1.7950eep+9  0x1.3a961ep+14  -0x1.aecc26p+12  -0x1.1b8d04p+9  0x1.174622p+9
-0x1.345f64p+11  0x1.95f10ap+14  -0x1.c333fp+13  0x1.da5286p+11  -0x1.89e0ccp+8
0x1.67b016p+10  0x1.1f7abep+14  -0x1.15ec4cp+13  0x1.efdc42p+10  -0x1.55e91ep+7
0x1.f181a8p+12  0x1.0fba9ap+13  -0x1.b024ecp+11  0x1.3823f2p+9  -0x1.582d2p+5
0x1.a851e2p+13  0x1.207364p+11  -0x1.68db2ap+9  0x1.95cd9p+6  -0x1.596596p+2
0x1.f468dcp+13  0x1.cb42a8p+7  -0x1.ad502ep+5  0x1.66309p+2  -0x1.c1b274p-3
0x1.706d28p-2  0x1.8fbc16p-1  0x1.2caa66p+0  0x1.03d926p+1
0x1.579e42p+1  0x1.c60ca4p+1  0x1.3587e8p+2
"""

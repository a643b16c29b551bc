"""The voices of espeak-ng that spoken digits are spoken by: variants, each with one accent."""

_ACCENTS = (
    "en-us",
    "en",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)

# Neither whispered or breathy ones, which draw random numbers, nor those that are sound effects.
_VARIANTS = """
    Alex Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario
    Michael Mike Nguyen adam anika antonio aunty belinda benjamin boris david ed edward
    edward2 f1 f4 grandma grandpa gustave iven iven2 iven3 iven4 john kaukovalta klatt2
    klatt4 klatt6 linda m1 m2 m3 m4 m5 m6 m7 m8 marcelo max michel miguel mike2 norbert paul
    quincy rob robert steph travis zac
"""

VOICES = tuple(
    f"{_ACCENTS[index % len(_ACCENTS)]}+{variant}"
    for index, variant in enumerate(_VARIANTS.split())
)

"""The words that the questions are made of. They are part of the set: a changed word is a new version."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _words(
    "Ada Amos Anna Boris Carla Clara Conrad Dora Edith Elias Emil Felix Fiona Greta Hanna Harold Ida Ivan Jasper Joan "
    "Karl Keiko Lena Leon Lydia Magnus Marta Milo Nadia Nils Olga Oscar Paula Quentin Ravi Rosa Rufus Selma Silas "
    "Tamar Theo Ursula Victor Wanda Xenia Yusuf Zelda Bruno Celia Diego Elena Farid Gloria Hugo Irene Jonas Kira "
    "Louis Mira"
)
GOODS = _words(
    "apples pears lemons onions candles pencils notebooks bottles baskets bricks buttons ribbons stamps bolts lamps "
    "plates cups spoons nails ropes boxes postcards tickets eggs rolls jars brushes keys shirts stones"
)
TOWNS = _words(
    "Ardel Birkholm Corven Dunmore Elsten Farrow Garvik Holmby Ister Kelton Lorne Marwick Nolby Orsett Penrith Quarley "
    "Rosvik Selby Torven Ulmer Varde Westra Yarrow Zellen"
)
COLOURS = _words("red blue green yellow white black brown purple orange grey")
ANIMALS = _words("cat dog horse rabbit parrot goat hen duck sheep cow fox mouse")
WEEKDAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = _words("January February March April May June July August September October November December")
JOBS = _words("baker carpenter doctor gardener painter pilot tailor teacher plumber librarian miller sailor")
OBJECTS = _words("drum flute kite ladder lantern map mirror telescope umbrella violin whistle compass globe hammer")
TRAITS = (("taller", "tallest", "shortest"), ("older", "oldest", "youngest"), ("heavier", "heaviest", "lightest"))
ROOMS = _words("kitchen attic cellar garden library workshop garage hall studio pantry")

CLASSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fruit", _words("apple pear plum cherry grape lemon peach melon fig mango")),
    ("tools", _words("hammer saw chisel drill wrench pliers file plane axe spade")),
    ("animals", _words("horse rabbit goat fox wolf bear otter badger deer mouse")),
    ("furniture", _words("chair table sofa shelf wardrobe desk stool bench bed cupboard")),
    ("weather", _words("rain snow hail fog frost thunder drizzle sleet storm wind")),
    ("clothes", _words("shirt coat glove scarf sock boot skirt jacket hat trousers")),
    ("music", _words("violin drum flute trumpet piano harp cello guitar oboe organ")),
    ("vehicles", _words("bus train tram bicycle lorry ferry van scooter tractor ship")),
)
OPPOSITES = tuple(
    tuple(pair.split("-"))
    for pair in _words(
        "hot-cold early-late heavy-light wet-dry full-empty loud-quiet strong-weak rich-poor open-closed sharp-blunt "
        "deep-shallow wide-narrow thick-thin rough-smooth old-young fast-slow clean-dirty high-low near-far brave-timid"
    )
)
PLURALS = tuple(
    tuple(pair.split("-"))
    for pair in _words(
        "mouse-mice child-children foot-feet tooth-teeth goose-geese knife-knives leaf-leaves wolf-wolves city-cities "
        "man-men woman-women shelf-shelves half-halves baby-babies church-churches potato-potatoes"
    )
)
NUMBER_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("German", _words("eins zwei drei vier acht sieben sechs zehn zwölf zwanzig")),
    ("French", _words("un deux trois quatre huit sept six dix douze vingt")),
    ("Spanish", _words("uno dos tres cuatro ocho siete seis diez doce veinte")),
    ("Italian", _words("uno due tre quattro otto sette sei dieci dodici venti")),
)
NUMBER_VALUES = _words("one two three four eight seven six ten twelve twenty")
CAUSES: tuple[tuple[str, str], ...] = (
    ("It rained for three days without a break", "flooded"),
    ("Nobody had watered the plants for a month", "withered"),
    ("The ice cream stood in the sun all afternoon", "melted"),
    ("The glass fell from the table onto the stone floor", "broke"),
    ("The lamp was left on for a week without being charged", "dark"),
    ("The oven was forgotten and the bread stayed in for two hours", "burnt"),
    ("The bucket of water stood outside in the hard frost", "froze"),
    ("The paper boat drove into the candle", "burned"),
    ("He had not slept for two nights", "tired"),
    ("She had eaten nothing since the morning of the day before", "hungry"),
)
NUMBERS = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
CAPITALS = tuple(
    tuple(pair.split("-"))
    for pair in _words(
        "France-Paris Italy-Rome Germany-Berlin England-London Japan-Tokyo Russia-Moscow Greece-Athens Egypt-Cairo "
        "Austria-Vienna Ireland-Dublin Portugal-Lisbon Norway-Oslo Cuba-Havana Poland-Warsaw Sweden-Stockholm "
        "Spain-Madrid"
    )
)
PLAIN_OPPOSITES = tuple(
    tuple(pair.split("-"))
    for pair in _words(
        "hot-cold wet-dry full-empty rich-poor strong-weak fast-slow early-late high-low clean-dirty deep-shallow "
        "thick-thin far-near"
    )
)
"""Pairs of which each has one usual opposite."""
COLOURED = tuple(
    (thing.replace("_", " "), shade)
    for thing, shade in (
        pair.split("-")
        for pair in _words(
            "snow-white fresh_grass-green coal-black blood-red a_ripe_banana-yellow milk-white a_fire_engine-red "
            "a_cloudless_sky-blue chocolate-brown a_lemon-yellow a_ripe_tomato-red a_frog-green a_carrot-orange"
        )
    )
)
YOUNG = tuple(
    tuple(pair.split("-"))
    for pair in _words(
        "dog-puppy cat-kitten cow-calf sheep-lamb horse-foal duck-duckling hen-chick frog-tadpole goose-gosling "
        "goat-kid pig-piglet bear-cub"
    )
)
COUNTS = (
    ("days are in a week", "7"),
    ("months are in a year", "12"),
    ("hours are in a day", "24"),
    ("minutes are in an hour", "60"),
    ("seconds are in a minute", "60"),
    ("legs does a spider have", "8"),
    ("legs does a dog have", "4"),
    ("wheels does a bicycle have", "2"),
    ("sides does a triangle have", "3"),
    ("sides does a square have", "4"),
    ("fingers are on one hand", "5"),
    ("letters are in the English alphabet", "26"),
    ("eggs are in a dozen", "12"),
    ("legs does an insect have", "6"),
)

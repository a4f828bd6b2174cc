"""The words that prompts are written with, by subject. Written for llmtester; plain English, nothing quoted.

Verbs are regular, so that one form serves as past tense and participle. Nouns in ``things`` are countable singulars.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """One field of life. ``events`` are past-tense clauses, ``goals`` are infinitives with their ``to``."""

    people: tuple[str, ...]
    places: tuple[str, ...]
    things: tuple[str, ...]
    plurals: tuple[str, ...]
    materials: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]
    events: tuple[str, ...]
    goals: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(";"))


HARBOUR = Subject(
    people=_phrases(
        "harbour master; ferry pilot; net mender; lighthouse keeper; ship's cook; customs clerk; dock worker; diver;"
        "oyster seller; chart maker; deckhand; tug captain"
    ),
    places=_phrases(
        "on the north quay; behind the fish market; at the mouth of the river; under the old crane; beside the slipway;"
        "in the chandler's shop; along the sea wall; near the ferry landing; on the sandbank; in the customs house"
    ),
    things=_words(
        "anchor barge beacon buoy cable cargo chart compass crane crate dinghy ferry hull jetty keel lantern "
        "mast net oar "
        "pier pulley rope rudder sail schooner trawler tugboat winch whistle lifeboat"
    ),
    plurals=_words(
        "barges buoys crates planks herrings ropes sails nets lobsters signals lamps ladders anchors charts"
    ),
    materials=_words("tar salt canvas driftwood seaweed fog oil varnish gravel spray"),
    verbs=_words("repaired inspected painted hauled measured cleaned sold found weighed lost bought sheltered"),
    adjectives=_words(
        "salty weathered tidal drifting rusty moored seaworthy barnacled foggy windward leaking buoyant sunken tarred "
        "stormy coastal"
    ),
    events=_phrases(
        "the tide turned early; the fog refused to lift; the wind moved to the east; the last ferry was delayed;"
        "the current pushed two boats together; the bell on the breakwater cracked"
    ),
    goals=_phrases(
        "to leave before the tide; to save fuel on the crossing; to keep the channel open; to sell the catch by noon;"
        "to warn the boats outside"
    ),
)

KITCHEN = Subject(
    people=_phrases(
        "baker; head cook; apprentice; cheesemaker; grocer; tea merchant; miller; waiter; brewer; pastry chef;"
        "market trader; beekeeper"
    ),
    places=_phrases(
        "in the bakery; next to the oven; at the long table; in the cold pantry; behind the counter; under the arcade;"
        "in the village hall; at the Saturday market; beside the well; in the cellar"
    ),
    things=_words(
        "apron barrel basket bowl bucket cauldron cheese churn colander dish dumpling funnel grater jar kettle "
        "ladle loaf "
        "mortar oven pan pie pitcher platter recipe saucer sieve spoon tart teapot whisk"
    ),
    plurals=_words("apples beans loaves onions recipes spoons pears carrots spices plates turnips walnuts lemons pots"),
    materials=_words("flour butter honey vinegar rye yeast cinnamon barley cream pepper mustard"),
    verbs=_words("borrowed weighed cleaned sold labelled counted stored warmed carried bought packed inspected"),
    adjectives=_words(
        "crisp bitter buttery fragrant sour tender smoked seasoned ripe golden chilled peppery sweet stale toasted "
        "savoury"
    ),
    events=_phrases(
        "the dough rose twice as fast as usual; the oven cooled during the night; the milk arrived late;"
        "the harvest had been poor; three guests asked for more; the market closed at noon"
    ),
    goals=_phrases(
        "to feed forty people; to waste nothing; to finish before the guests arrived;"
        " to keep the bread fresh for a week;"
        "to use up the last of the pears"
    ),
)

WORKSHOP = Subject(
    people=_phrases(
        "clockmaker; carpenter; welder; electrician; toolmaker; glassblower; locksmith; printer; bookbinder; potter;"
        "violin maker; foreman"
    ),
    places=_phrases(
        "at the workbench; in the back room; above the forge; near the lathe; in the paint store; beside the window;"
        "under the stairs; on the drying rack; in the yard; at the trade fair"
    ),
    things=_words(
        "anvil axle battery bearing bellows bolt bracket chisel clamp clock cog drill engine file gear hammer "
        "hinge ladder "
        "lathe lever lock motor nail piston pump screw spring switch valve wheel wrench"
    ),
    plurals=_words("bolts clocks drawings gears hinges keys nails tools springs switches wheels orders panels joints"),
    materials=_words("brass copper glue leather oak sawdust solder steel varnish wax clay"),
    verbs=_words("assembled polished measured sanded repaired oiled soldered sharpened labelled tested turned filed"),
    adjectives=_words(
        "brass polished blunt precise hollow threaded crooked sturdy dusty magnetic worn noisy riveted hinged spare "
        "metallic"
    ),
    events=_phrases(
        "the power failed for an hour; the new blade broke on the first day; the customer changed the plan;"
        "the glue needed more time; the drawings were off by a finger's width; an old spring snapped"
    ),
    goals=_phrases(
        "to make the parts fit; to keep the noise down; to deliver by Friday; to find the cause of the rattle;"
        "to teach the method to a beginner"
    ),
)

GARDEN = Subject(
    people=_phrases(
        "gardener; forester; botanist; shepherd; farmer; landscape painter; seed collector; river warden;"
        " orchard owner;"
        "bird watcher; hedge cutter; village teacher"
    ),
    places=_phrases(
        "at the edge of the wood; in the walled garden; beyond the orchard; by the pond; along the hedge;"
        " on the hillside;"
        "under the chestnut tree; in the greenhouse; beside the brook; at the end of the lane"
    ),
    things=_words(
        "acorn bramble branch bulb bush fern fence flower hedge hive ladder leaf meadow mushroom nest orchard "
        "path pebble "
        "petal pond rake ridge root seed shovel spade stem thistle tree trowel"
    ),
    plurals=_words("berries bulbs ferns leaves roses seedlings tulips shrubs weeds branches vines acorns beds lilies"),
    materials=_words("compost moss mulch peat pollen rain shade soil straw sunlight"),
    verbs=_words("sketched counted measured covered mapped described protected photographed tended noticed found"),
    adjectives=_words(
        "mossy leafy blooming thorny shaded wild fertile frosty evergreen tangled dewy sprouting rooted sunny marshy "
        "autumnal"
    ),
    events=_phrases(
        "the frost came back in May; the brook ran dry; the bees left the hive; a storm broke the oldest branch;"
        "the seeds took a month to sprout; the rain stopped at last"
    ),
    goals=_phrases(
        "to bring the birds back; to save water; to have flowers until October; to keep the deer away;"
        "to learn which plants grow well together"
    ),
)

SKY = Subject(
    people=_phrases(
        "astronomer; night watchman; weather observer; mathematician; telescope builder; student; balloon pilot;"
        " surveyor;"
        "museum guide; radio operator; calendar maker; geologist"
    ),
    places=_phrases(
        "on the roof of the observatory; in the dome; at the weather station; on the mountain pass;"
        " in the lecture hall;"
        "above the clouds; near the antenna; in the archive; on the frozen lake; at the planetarium"
    ),
    things=_words(
        "antenna asteroid balloon barometer calendar cloud comet crater dial dome eclipse equation galaxy "
        "glacier globe "
        "horizon lens meteor mirror moon orbit planet prism satellite shadow sphere star telescope thermometer tripod"
    ),
    plurals=_words(
        "clouds comets craters lenses mirrors orbits planets readings shadows stars storms tables winters nights"
    ),
    materials=_words("dust ice gas light frost smoke glass quartz vapour darkness"),
    verbs=_words("observed recorded photographed measured plotted described painted noticed found admired sketched"),
    adjectives=_words(
        "distant lunar bright faint circular frozen cloudless magnified northern invisible polar starry solar remote "
        "glittering silent"
    ),
    events=_phrases(
        "the clouds parted for ten minutes; the mirror had to be cooled; the comet appeared a day early;"
        "the figures from both stations disagreed; the lamp in the dome failed; snow covered the instruments"
    ),
    goals=_phrases(
        "to see the faintest star; to correct the calendar; to explain the strange shadow; to forecast the first frost;"
        "to compare the readings with those of last winter"
    ),
)

RAILWAY = Subject(
    people=_phrases(
        "station master; engine driver; postwoman; bridge engineer; ticket inspector; tram conductor; bicycle courier;"
        "road mender; signalman; porter; mountain guide; map seller"
    ),
    places=_phrases(
        "on platform four; inside the tunnel; at the level crossing; in the waiting room; across the viaduct;"
        " in the depot;"
        "beyond the last stop; at the border post; on the winding road; under the station clock"
    ),
    things=_words(
        "bicycle bridge carriage cart coupling crossing envelope junction letter locomotive lantern map parcel "
        "passport "
        "platform rail sack saddle signal sleeper stamp station suitcase ticket timetable track tram trolley "
        "tunnel wagon"
    ),
    plurals=_words(
        "bridges letters maps parcels rails signals stations tickets trains tunnels wagons suitcases saddles trunks"
    ),
    materials=_words("coal steam gravel iron mail grease concrete chalk paper mud"),
    verbs=_words("inspected repaired photographed measured painted described checked found counted mentioned sold"),
    adjectives=_words(
        "punctual overdue narrow crowded steep iron winding empty express local vacant wooden echoing parallel muddy "
        "hurried"
    ),
    events=_phrases(
        "the signal stayed red; the bridge was closed for a week; two trains arrived at once; the road washed away;"
        "a letter arrived without an address; the clock at the station stopped"
    ),
    goals=_phrases(
        "to arrive before dark; to shorten the journey by an hour; to deliver every parcel; to keep to the timetable;"
        "to find the shortest way over the pass"
    ),
)

STAGE = Subject(
    people=_phrases(
        "violinist; stage manager; choir leader; poet; puppeteer; dancer; piano tuner; actor; critic; costume maker;"
        "drummer; librarian"
    ),
    places=_phrases(
        "in the concert hall; behind the curtain; on the balcony; at the rehearsal; in the library; on the small stage;"
        "near the piano; in the front row; at the puppet theatre; in the music shop"
    ),
    things=_words(
        "ballad banjo bow cello chorus costume curtain drum fiddle flute harp mask melody novel orchestra piano poem "
        "puppet rehearsal rhyme script song spotlight stage story ticket trumpet tune verse violin"
    ),
    plurals=_words(
        "marches ballads chords costumes drums letters masks notes poems songs stories tickets voices violins"
    ),
    materials=_words("applause silence velvet ink music chalk paint silk laughter candlelight"),
    verbs=_words("practised copied praised recorded sold collected described repaired brought introduced borrowed"),
    adjectives=_words(
        "melodic solemn whispering rhythmic velvet comic tragic unwritten rehearsed tuneful dramatic forgotten lyrical "
        "humming gentle theatrical"
    ),
    events=_phrases(
        "the singer lost her voice; the curtain stuck halfway; the audience asked for the song again;"
        "the last page was missing; the drummer came in too soon; the lights went out during the second act"
    ),
    goals=_phrases(
        "to fill the hall; to finish the final verse; to play without a single mistake;"
        " to please the youngest listeners;"
        "to keep the old songs alive"
    ),
)

TOWN = Subject(
    people=_phrases(
        "mayor; doctor; nurse; architect; shopkeeper; tax collector; night porter; schoolteacher; judge; historian;"
        "bricklayer; pharmacist"
    ),
    places=_phrases(
        "in the town hall; on the market square; at the hospital; beside the fountain; in the new school; at the bank;"
        "along the canal; in the museum; on the top floor; at the corner of the street"
    ),
    things=_words(
        "archive arch attic balcony bench brick cabinet candle chimney coin contract corridor courtyard desk "
        "diary doorway "
        "fountain gate ledger letterbox market medicine notebook painting pavement roof statue tower wall window"
    ),
    plurals=_words(
        "bricks benches coins houses doorways ledgers arches portraits statues roofs streets gates towers lamps"
    ),
    materials=_words("brick marble paper plaster limestone medicine money paint gravel timber"),
    verbs=_words("counted restored rented described examined measured painted photographed sold inspected visited"),
    adjectives=_words(
        "public narrow marble civic restored ancient hidden arched paved elegant medieval cramped spacious painted "
        "official unlocked"
    ),
    events=_phrases(
        "the council met twice; the roof began to leak; the price of bricks doubled; a new law came into force;"
        "the oldest house was sold; nobody could find the key"
    ),
    goals=_phrases(
        "to balance the accounts; to open the school in September; to keep the square free of traffic;"
        "to settle an old quarrel; to save the tower from collapse"
    ),
)

SUBJECTS: tuple[Subject, ...] = (HARBOUR, KITCHEN, WORKSHOP, GARDEN, SKY, RAILWAY, STAGE, TOWN)

FIRST_NAMES = _words(
    "Ada Amos Anselm Bettina Boris Carla Cedric Clara Conrad Dagmar Edith Elias Esther Felix Fiona Gideon Greta Harold "
    "Hedwig Ida Ines Ivan Jasper Joan Kasimir Keiko Laszlo Leonie Lydia Magnus Marta Milo Nadia Nils Olga Oscar Paula "
    "Quentin Ravi Rosa Rufus Selma Silas Tamar Theo Ursula Victor Wanda Xenia Yusuf Zelda"
)
LAST_NAMES = _words(
    "Abbot Anders Barlow Bergman Calder Castell Dahl Draper Eklund Farrow Fenwick Garland Gruber Hale Holm "
    "Ibsen Jarvis "
    "Keller Kovacs Lind Lorimer Marsh Moreau Nakamura Novak Okafor Orwin Pascal Petrov Quill Rastogi Reyes Sandoval "
    "Sorensen Tanaka Thorne Umber Varga Weaver Wolfe Yardley Zeller"
)
MONTHS = _words("January February March April May June July August September October November December")
NUMBERS = _phrases(
    "three; four; five; six; seven; eight; nine; eleven; twelve; fifteen; eighteen; twenty; twenty-four; thirty; forty;"
    "fifty-two; sixty; ninety"
)
TIMES = _phrases(
    "early in the morning; late in the evening; after the long winter; on the second Tuesday; shortly before midnight;"
    "during the summer holidays; a week later; at the end of the month; in the first warm days; at half past six;"
    "the next day; once a year; every other Sunday; as soon as it grew light; between two meetings"
)
MANNERS = _phrases(
    "carefully; without a word; with great patience; almost by accident; for the third time; in a single afternoon;"
    "against all advice; slowly and gladly; as if nothing had happened; with borrowed tools"
)

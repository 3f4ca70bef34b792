"""Word lists that the generators draw from."""

NAMES = tuple(
    "Anna Ben Clara David Emma Felix Grace Henry Ida Jack Kate Leo Mary Noah Olivia Paul Rosa Sam Tina Victor Wendy "
    "Adam Bella Carlos Diana Eric Fiona George Hannah Ivan Julia Kevin Laura Max Nina Oscar Petra Robert Sarah Tom "
    "Amir Aisha Chen Fatima Hiro Jamal Kofi Lena Maria Omar Priya Ravi Sofia Yuki Zara Ahmed Bruno Elena Hugo Ingrid "
    "Jonas Karim Lucy Marco Nora Peter Ruth Simon Vera William Alice Daniel Eva Frank Gloria Helen Isaac Jane Luis".split()
)
CITIES = tuple(
    "Paris London Berlin Rome Madrid Vienna Oslo Lisbon Dublin Prague Athens Warsaw Cairo Tokyo Delhi Toronto Boston "
    "Chicago Sydney Lima Nairobi Lagos Accra Hamburg Lyon Milan Porto Geneva Bristol Leeds Denver Dallas Seattle Kyoto "
    "Mumbai Hanoi Quito Havana Riga Turin".split()
)
JOBS = tuple(
    "teacher|doctor|nurse|baker|farmer|pilot|driver|painter|writer|cook|engineer|gardener|singer|lawyer|builder|"
    "dentist|fisherman|waiter|librarian|carpenter|plumber|photographer|mechanic|tailor|police officer|scientist|"
    "musician|actor|shopkeeper|firefighter".split("|")
)
HOBBIES = tuple(
    "swimming|reading|hiking|cooking|painting|dancing|fishing|cycling|gardening|running|singing|skiing|sailing|"
    "climbing|drawing|knitting|surfing|baking|camping|playing chess|playing football|playing tennis|"
    "playing the piano|playing the guitar|watching films|collecting stamps|taking photos|playing cards".split("|")
)
PETS = tuple("dog cat rabbit parrot hamster horse goldfish turtle goat duck mouse snake pony chicken".split())
MEALS = tuple(
    "pizza|pasta|soup|rice|fish|chicken|salad|pancakes|curry|noodles|burgers|potatoes|beans|eggs|bread and cheese|"
    "apple pie|chocolate cake|ice cream|sushi|tacos|stew|sandwiches".split("|")
)
COLOURS = tuple("red blue green yellow black white orange purple brown pink grey".split())
OBJECTS = tuple(
    "book|bicycle|car|lamp|chair|table|bag|hat|coat|watch|phone|camera|guitar|umbrella|mirror|clock|radio|boat|kite|"
    "ring|vase|knife|bottle|basket|ladder|drum|suitcase|scarf|key|map".split("|")
)
PLACES = tuple(
    "park|library|market|school|museum|station|harbour|garden|theatre|church|castle|bakery|hotel|bridge|beach|zoo|"
    "hospital|stadium|cinema|farm|bank|post office|swimming pool|town hall".split("|")
)
DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
MONTHS = tuple("January February March April May June July August September October November December".split())
NUMBERS = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty".split()
)
KINDS = {
    "animal": tuple("dog cat horse cow lion tiger elephant sheep goat rabbit bear wolf fox monkey mouse".split()),
    "fruit": tuple("apple banana orange pear grape cherry mango lemon peach plum strawberry melon kiwi".split()),
    "vegetable": tuple("carrot potato onion tomato cabbage pea bean spinach broccoli cucumber pumpkin leek".split()),
    "colour": COLOURS,
    "country": tuple("France Germany Italy Spain Japan China India Brazil Canada Egypt Kenya Mexico Norway".split()),
    "city": CITIES[:20],
    "bird": tuple("eagle owl duck swan robin crow parrot pigeon goose sparrow penguin".split()),
    "drink": tuple("water tea coffee milk juice lemonade cocoa".split()),
    "sport": tuple("football tennis swimming running boxing skiing hockey rugby cycling golf".split()),
    "tool": tuple("hammer saw knife spade ladder brush needle axe drill".split()),
    "flower": tuple("rose tulip daisy lily violet sunflower poppy".split()),
    "month": MONTHS,
    "day of the week": DAYS,
    "season": ("spring", "summer", "autumn", "winter"),
    "metal": tuple("iron gold silver copper tin lead".split()),
    "planet": tuple("Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split()),
    "instrument": tuple("piano guitar violin drum flute trumpet harp".split()),
    "body part": tuple("head arm leg hand foot nose ear eye mouth knee".split()),
    "piece of clothing": tuple("shirt coat hat dress sock shoe scarf skirt glove".split()),
}
JOKES = (
    "Why did the computer go to the doctor? Because it had a virus!",
    "What do you call a bear with no teeth? A gummy bear!",
    "Why did the chicken cross the road? To get to the other side!",
    "What do you call cheese that is not yours? Nacho cheese!",
    "Why can a bicycle not stand on its own? Because it is two tired!",
    "What is brown and sticky? A stick!",
    "Why was the maths book sad? Because it had too many problems.",
    "What do you call a fish without an eye? A fsh!",
    "What did one wall say to the other? I will meet you at the corner!",
    "Why did the tomato turn red? Because it saw the salad dressing!",
    "Why do bees have sticky hair? Because they use a honeycomb!",
    "What has four wheels and flies? A rubbish truck!",
)

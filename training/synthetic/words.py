"""Word lists that the generators draw from."""

NAMES = tuple(
    "Anna Ben Clara David Emma Felix Grace Henry Ida Jack Kate Leo Mary Noah Olivia Paul Rosa Sam Tina Victor Wendy "
    "Adam Bella Carlos Diana Eric Fiona George Hannah Ivan Julia Kevin Laura Max Nina Oscar Petra Robert Sarah Tom "
    "Amir Aisha Chen Fatima Hiro Jamal Kofi Lena Maria Omar Priya Ravi Sofia Yuki Zara Ahmed Bruno Elena Hugo Ingrid "
    "Jonas Karim Lucy Marco Nora Peter Ruth Simon Vera William Alice Daniel Eva Frank Gloria Helen Isaac Jane Luis".split()
)
GIRLS = tuple(
    "Anna Clara Emma Grace Ida Kate Mary Olivia Rosa Tina Wendy Bella Diana Fiona Hannah Julia Laura Nina Petra Sarah Aisha "
    "Fatima Lena Maria Priya Sofia Yuki Zara Elena Ingrid Lucy Nora Ruth Vera Alice Eva Gloria Helen Jane Martha Agnes Amy "
    "Beatrice Carla Carmen Cecilia Chloe Daisy Dora Edith Ellen Emily Erika Esther Flora Frida Greta Heidi Irene Iris Ivy "
    "Joan Judith Karen Leila Lily Linda Lisa Louise Mabel Mei Mia Mina Molly Nadia Naomi Nell Odette Paula Penny Rachel "
    "Rebecca Rita Sally Sandra Selma Sonia Stella Susan Thelma Tilda Ursula Violet Yasmin Zoe Amara Ines Noor Salma".split()
)
BOYS = tuple(
    "Ben David Felix Henry Jack Leo Noah Paul Sam Victor Adam Carlos Eric George Ivan Kevin Max Oscar Robert Tom Amir Chen "
    "Hiro Jamal Kofi Omar Ravi Ahmed Bruno Hugo Jonas Karim Marco Peter Simon William Daniel Frank Isaac Luis Albert Alex "
    "Andrew Anton Arthur Boris Carl Charles Chris Diego Edgar Edwin Emil Ernest Fred Gustav Hans Harry Hassan Ian Igor "
    "Jacob James Jan Javier Joe John Jorge Joseph Juan Karl Ken Lars Lewis Louis Luca Mark Martin Matteo Michael Mike Nick "
    "Nils Olaf Oliver Otto Pablo Patrick Pedro Philip Ralph Raj Rolf Roy Samir Stefan Steve Sven Theo Tim Tony Walter Yusuf".split()
)
FAMILY_NAMES = tuple(
    "Smith Brown Jones Taylor Wilson Evans Walker Wright Hall Green Baker Carter Turner Cooper Ward Morris King Wood Hill "
    "Scott Young Adams Bell Murphy Kelly Novak Kowalski Schmidt Weber Fischer Meyer Rossi Bianchi Moreau Dubois Garcia "
    "Lopez Silva Santos Costa Jensen Hansen Larsen Berg Lund Nilsson Petrov Ivanova Popov Khan Ali Hussein Haddad Singh "
    "Patel Sharma Gupta Tanaka Sato Suzuki Kim Park Lee Wang Li Zhang Nguyen Tran Mensah Okafor Diallo Mwangi Abebe".split()
)
CITIES = tuple(
    "Paris London Berlin Rome Madrid Vienna Oslo Lisbon Dublin Prague Athens Warsaw Cairo Tokyo Delhi Toronto Boston "
    "Chicago Sydney Lima Nairobi Lagos Accra Hamburg Lyon Milan Porto Geneva Bristol Leeds Denver Dallas Seattle Kyoto "
    "Mumbai Hanoi Quito Havana Riga Turin Zurich Bergen Malmo Tampere Gdansk Krakow Brno Graz Bern Basel Ghent Bruges Lille "
    "Nice Toulouse Bilbao Seville Naples Bologna Palermo Split Sofia Varna Izmir Ankara Beirut Amman Doha Muscat Karachi "
    "Lahore Dhaka Jakarta Manila Osaka Busan Perth Hobart Auckland Suva Dakar Bamako Kampala Lusaka Harare Durban Tunis "
    "Rabat Bogota Caracas Santiago Montevideo Cusco Salta Austin Portland Phoenix Detroit Memphis Omaha Calgary Halifax".split()
)
COUNTRIES = tuple(
    "France Germany Italy Spain Portugal Poland Norway Sweden Finland Denmark Iceland Ireland Greece Turkey Egypt Morocco "
    "Kenya Ghana Nigeria Ethiopia Tanzania Zambia India Nepal China Japan Korea Vietnam Thailand Malaysia Indonesia "
    "Australia Canada Mexico Cuba Brazil Peru Chile Argentina Bolivia Austria Hungary Croatia Serbia Latvia Estonia".split()
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
ANIMALS = tuple(
    "dog|cat|horse|cow|lion|tiger|elephant|sheep|goat|rabbit|bear|wolf|fox|monkey|mouse|parrot|hamster|turtle|duck|snake|"
    "pony|donkey|camel|zebra|giraffe|otter|seal|penguin|owl|eagle|hedgehog|squirrel|deer|badger|lizard|frog|goose|swan|"
    "crow|peacock|kangaroo|panda|leopard|gorilla|rhino|hippo|dolphin|beaver".split("|")
)
DISHES = (
    *MEALS,
    *"lentil soup|fish and chips|roast beef|apple cake|lamb stew|mushroom risotto|potato soup|fried rice|onion tart|"
    "chicken pie|tomato salad|plum dumplings|cheese toast|pumpkin soup|banana bread|carrot cake|beef noodles|bean chili|"
    "grilled salmon|lemon pudding|waffles|goulash|paella|couscous|hummus|lasagne|ravioli|crab cakes|cherry pie".split(
        "|"
    ),
)
CROPS = tuple(
    "apples|pears|wheat|potatoes|carrots|tomatoes|grapes|olives|onions|rice|maize|tea|coffee|oranges|lemons|plums|beans|"
    "cabbages|strawberries|cherries|melons|pumpkins|barley|sunflowers|roses|tulips|peas|nuts|bananas|mangoes".split("|")
)
MATERIALS = tuple(
    "wood|stone|brick|glass|iron|steel|gold|silver|clay|paper|wool|cotton|silk|leather|copper|bronze|marble|plastic|tin|"
    "granite|bamboo|concrete|ivory|wax|rubber|linen|velvet|oak|pine".split("|")
)
LANGUAGES = tuple(
    "French German Italian Spanish Portuguese Polish Norwegian Swedish Finnish Danish Dutch Greek Turkish Arabic Hebrew "
    "Swahili Hindi Urdu Bengali Tamil Chinese Japanese Korean Vietnamese Thai Russian Czech Hungarian Welsh Latin".split()
)
SPORTS = tuple(
    "football|tennis|swimming|running|boxing|skiing|hockey|rugby|cycling|golf|basketball|volleyball|handball|cricket|judo|"
    "rowing|sailing|fencing|archery|badminton|table tennis|water polo|wrestling|surfing|karate|baseball".split("|")
)
INSTRUMENTS = tuple(
    "piano|guitar|violin|drums|flute|trumpet|harp|cello|clarinet|saxophone|organ|banjo|accordion|trombone|bass|oboe".split(
        "|"
    )
)
SCHOOL_SUBJECTS = tuple(
    "maths|history|geography|biology|chemistry|physics|music|art|English|French|Latin|sports|economics|drama".split("|")
)
WEATHER = tuple("rainy sunny windy foggy snowy cloudy stormy warm cold icy hot misty dry".split())
TITLES = tuple(
    "The Silent River|A House in the Hills|The Last Lamp|Seven Summers|The Glass Bridge|Night Train|The Blue Door|"
    "Letters from Home|The Old Clock|Salt and Snow|The Wolf Road|A Garden of Stones|The Empty Chair|Midnight Bread|"
    "The Second Moon|Paper Boats|The King's Cook|Under the Oak|The Long Winter Walk|Small Fires|The Map Maker|"
    "Bird Song|The Red Umbrella|Twelve Steps|The Lost Key|Harbour Lights|The Quiet Dog|One Thousand Days|"
    "The Orange Tree|Rain on Tin|The Doctor's Garden|A Borrowed Coat|The Painted Wall|Broken Strings".split("|")
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

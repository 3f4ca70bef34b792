"""Passages about events, plans and groups."""

from training.synthetic.passages.form import attribute, domain

_DAY = attribute("day", "{s} is on {v}. / {s} takes place on {v}. / {v} is the day of {o}. / Come on {v}.",
                 "On which day is {s}? / What day is {s}? / Which day does {s} take place?")  # fmt: skip
_DATE = attribute("date", "{s} is on {v}. / {s} takes place on {v}. / The date of {o} is {v}. / {v} was chosen for {o}.",
                  "When is {s}? / On which date is {s}? / What is the date of {o}? / What date is {s} on?")  # fmt: skip
_TIME = attribute("time", "{s} starts at {v}. / It all starts at {v}. / {s} begins at {v}. / Be there at {v}.",
                  "When does {s} start? / At what time does {s} begin? / What time does {s} start?")  # fmt: skip
_ENDS = attribute("time", "{s} ends at {v}. / At {v} it is over. / {s} goes on until {v}.",
                  "When does {s} end? / Until when does {s} go on? / At what time is {s} over?")  # fmt: skip
_WHERE = attribute("place", "{s} is held in the {v}. / We meet in the {v}. / {s} will be at the {v}. / The {v} is the place of {o}.",
                   "Where is {s}? / Where does {s} take place? / Where is {s} held? / What is the place of {o}?")  # fmt: skip
_PRICE = attribute("price", "A ticket costs {v}. / Entry is {v}. / You pay {v} at the door.",
                   "How much is a ticket? / What does a ticket for {o} cost? / How much is the entry?")  # fmt: skip
_GUESTS = attribute("number", "{v} people will come. / {s} expects {v} guests. / There are {v} names on the list.",
                    "How many people come to {o}? / How many guests does {s} have? / How many guests are there?")  # fmt: skip
_HOST = attribute("person", "{v} organises {o}. / {s} is led by {v}. / The host is {v}. / If you have questions, ask {v}.",
                  "Who organises {o}? / Who leads {o}? / Who is the host of {o}? / Whom can I ask about {o}?")  # fmt: skip

EVENTS = (
    domain(
        "event",
        "the [concert|party|wedding|dance|fair|picnic|summer party|dinner|festival|reunion] = it / {name}'s [party|wedding|birthday party] = it / the {surname} [concert|wedding] = it",
        _DAY, _TIME, _ENDS, _WHERE, _PRICE, _GUESTS, _HOST,
        attribute("dish", "There will be {v}. / {s} ends with {v}. / Everyone gets {v}. / The kitchen makes {v}.", "What food is there at {o}? / What will people eat at {o}? / What is there to eat?"),
        attribute("weather", "The day should be {v}. / They expect {v} weather. / The forecast says {v}.", "What will the weather be like? / What does the forecast say? / Which weather is expected?"),
    ),
    domain(
        "meeting",
        "the meeting = it / the [team|staff|board|parents'] meeting = it / the interview = it / the workshop = it / the talk = it",
        _DATE, _TIME, _HOST,
        attribute("code", "{s} is in room {v}. / Please come to room {v}. / Room {v} is booked for {o}.", "In which room is {s}? / Which room is {s} in? / What room is booked for {o}?"),
        attribute("duration", "{s} lasts {v}. / It will take {v}. / Plan {v} for {o}.", "How long is {s}? / How long does {s} last? / How much time does {s} take?"),
        attribute("the budget|the new office|the summer plans|the exams|the website|the car park|safety|the kitchen|holidays|the printer|hiring|the canteen", "{s} is about {v}. / The subject of {o} is {v}. / We have to talk about {v}.", "What is {s} about? / What is the subject of {o}? / What do they talk about?"),
        attribute("person", "{v} takes the notes. / The notes are written by {v}. / {v} will write everything down.", "Who takes the notes? / Who writes the notes? / Who will write everything down?"),
        attribute("small_number", "{v} people take part. / {v} chairs are needed. / {s} has {v} members.", "How many people take part in {o}? / How many are there?"),
    ),
    domain(
        "course",
        "the [English|cooking|swimming|painting|first aid|computer|dance|chess|sewing] course = it / the [evening|summer] class = it",
        _DAY, _TIME, _PRICE, _WHERE,
        attribute("person", "The teacher is {v}. / {s} is taught by {v}. / {v} teaches {o}.", "Who teaches {o}? / Who is the teacher? / By whom is {s} taught?"),
        attribute("duration", "{s} goes on for {v}. / {s} takes {v} in all. / After {v} there is a test.", "How long does {s} go on? / How long is {s}?"),
        attribute("a notebook|a towel|old clothes|a pencil|a bottle of water|a laptop|good shoes|an apron|a photo|a blanket", "Bring {v}. / Everyone has to bring {v}. / Do not forget {v}.", "What should I bring? / What does everyone have to bring? / What must I not forget?"),
        attribute("small_number", "There are {v} places. / {v} people can join. / It is for {v} people.", "How many people can join {o}? / How many places are there?"),
        attribute("month", "{s} starts in {v}. / The first lesson is in {v}. / In {v} it begins.", "In which month does {s} start? / In which month is the first lesson?"),
    ),
    domain(
        "match",
        "the [match|game|final|race|cup final] = it / the [football|hockey|tennis|chess] match = it",
        _DAY, _TIME,
        attribute("brand", "{v} won {o}. / The winner was {v}. / In the end {v} was better. / The cup went to {v}.", "Who won {o}? / Who was the winner? / Which team won? / Who got the cup?"),
        attribute("city", "It was played in {v}. / {s} took place in {v}. / The fans travelled to {v}.", "Where was {s} played? / In which city was {s}? / Where did the fans travel?"),
        attribute("number", "{v} people watched {o}. / In the stands sat {v} fans. / {s} was seen by {v} people.", "How many people watched {o}? / How many fans were there?"),
        attribute("person", "The best player was {v}. / {v} was the hero of the day. / Everyone talked about {v}.", "Who was the best player? / Who was the hero of the day? / About whom did everyone talk?"),
        attribute("surname", "The referee was called {v}. / Referee {v} led the game. / The referee, {v}, had much to do.", "Who was the referee? / What was the referee called? / What was the name of the referee?"),
        attribute("weather", "It was a {v} day. / The weather was {v}. / The players had to fight with {v} weather.", "What was the weather like? / How was the weather?"),
    ),
    domain(
        "trip",
        "{girl} = she / {boy} = he / {name} {surname} = he",
        attribute("city", "{s} went to {v} on holiday. / {s} took a trip to {v}. / {p} holiday was in {v}. / This summer {s} flew to {v}.", "Where did {s} go on holiday? / Which city did {s} visit? / Where did {s} travel? / Where was {p} holiday?"),
        attribute("duration", "{s} stayed for {v}. / The trip took {v}. / After {v} {s} came home.", "How long did {s} stay? / How long was the trip?"),
        attribute("name", "{s} travelled with {v}. / {v} came along. / {p} companion was {v}.", "With whom did {s} travel? / Who came along? / Who travelled with {o}?"),
        attribute("price", "The hotel cost {v} a night. / {s} paid {v} for the room. / For the room {s} had to pay {v}.", "How much was the hotel? / What did {s} pay for the room? / How much did the room cost?"),
        attribute("object", "On the way {s} lost a {v}. / {s} left a {v} in the taxi. / {s} forgot a {v} at the hotel.", "What did {s} lose? / What did {s} forget? / What did {s} leave behind?"),
        attribute("dish", "Each evening {s} ate {v}. / {s} tried {v} there. / {s} will never forget the {v}.", "What did {s} eat? / What did {s} try?"),
        attribute("weather", "It was {v} the whole time. / The weather was {v}. / {s} had not expected {v} weather.", "What was the weather like? / How was the weather?"),
        attribute("month", "The trip was in {v}. / {s} left in {v}. / It was {v} when {s} set out.", "In which month was the trip? / When did {s} set out? / In which month did {s} leave?"),
        attribute("train|bus|car|plane|ship|bicycle|motorbike", "{s} went by {v}. / {s} took the {v}. / The {v} brought {o} there.", "How did {s} get there? / How did {s} travel? / What did {s} take to get there?"),
    ),
    domain(
        "company",
        "{brand} = it / the company {brand} = it / the [factory|bank|newspaper|farm shop|brewery] = it / the firm of {surname} = it",
        attribute("year", "{s} was founded in {v}. / {s} began in {v}. / {p} history goes back to {v}.", "When was {s} founded? / In which year did {s} begin? / When did {s} start?"),
        attribute("person", "{s} was founded by {v}. / {v} founded {o}. / The founder was {v}.", "Who founded {o}? / Who was the founder of {o}? / By whom was {s} founded?"),
        attribute("person", "Today {s} is led by {v}. / The head of {o} is {v}. / Now {v} is in charge.", "Who leads {o} today? / Who is the head of {o}? / Who is in charge?"),
        attribute("city", "{s} has its office in {v}. / {s} is at home in {v}. / {p} main office is in {v}.", "Where is {p} office? / In which city is {s}? / Where is {s} at home?"),
        attribute("object", "{s} makes a {v} [that everyone knows|for children]. / {p} best product is a {v}. / It became known for a {v}.", "What does {s} make? / What is {p} best product? / What is {s} known for?"),
        attribute("number", "{s} has {v} workers. / {v} people work for {o}. / {s} employs {v} people.", "How many people work for {o}? / How many workers does {s} have? / How many people does {s} employ?"),
        attribute("brand", "{p} biggest rival is {v}. / {s} was bought by {v}. / {s} works together with {v}.", "Which other company is named? / With which company does {s} have to do?"),
        attribute("percent", "Last year sales rose by {v}. / Sales went up {v}. / {s} grew by {v}.", "By how much did {s} grow? / By how much did sales go up? / How much did sales rise?"),
    ),
    domain(
        "band",
        "the band = it / the band {brand} = it / the [school|village|youth] [choir|orchestra] = it / the theatre group = it",
        attribute("small_number", "{s} has {v} members. / {v} people belong to {o}. / On stage there are {v} of them.", "How many members does {s} have? / How many people are in {o}?"),
        attribute("person", "The singer is {v}. / {v} sings. / In front stands {v}.", "Who sings? / Who is the singer of {o}? / Who stands in front?"),
        attribute("city", "{s} comes from {v}. / {s} was formed in {v}. / {p} home is {v}.", "Where does {s} come from? / Where was {s} formed?"),
        attribute("day", "They practise on {v}. / {s} meets every {v}. / {v} is the evening for practice.", "On which day does {s} meet? / When do they practise?"),
        attribute("title", 'Their best known song is "{v}". / Everyone knows "{v}". / With "{v}" they had a hit.', "What is the best known song of {o}? / Which song had success? / What song does everyone know?"),
        attribute("recent_year", "{s} has existed since {v}. / {s} was formed in {v}. / The first concert was in {v}.", "Since when has {s} existed? / When was {s} formed? / In which year did it all start?"),
        attribute("instrument", "They need someone who plays the {v}. / The {v} is still missing. / {s} is looking for someone with a {v}.", "Which instrument is missing? / What instrument does {s} need?"),
    ),
    domain(
        "package",
        "the package = it / the letter = it / order {code} = it / the [big|small|brown] [box|parcel] = it",
        attribute("person", "{s} is for {v}. / {s} is addressed to {v}. / {v} is waiting for {o}.", "Who is {s} for? / To whom is {s} addressed? / Who is waiting for {o}?"),
        attribute("person", "{s} was sent by {v}. / {s} comes from {v}. / {v} put {o} in the post.", "Who sent {o}? / From whom is {s}? / By whom was {s} sent?"),
        attribute("object", "Inside there is a {v}. / {s} holds a {v}. / In it lies a {v}.", "What is inside {o}? / What is in {o}? / What does {s} hold?"),
        attribute("weight", "{s} weighs {v}. / With {v} it is quite heavy. / The scales say {v}.", "How much does {s} weigh? / How heavy is {s}?"),
        attribute("day", "{s} will come on {v}. / Expect {o} on {v}. / The post brings {o} on {v}.", "When will {s} come? / On which day does {s} come? / When can I expect {o}?"),
        attribute("price", "Sending it costs {v}. / The stamps were {v}. / For the post you pay {v}.", "How much does it cost to send {o}? / How much was paid for the post?"),
        attribute("street", "It goes to {v}. / The address is {v}. / On it you read: {v}.", "What is the address? / Where does it go? / To which address does {s} go?"),
    ),
)  # fmt: skip

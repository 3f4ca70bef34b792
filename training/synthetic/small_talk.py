"""Greetings, thanks, goodbyes, moods and other talk that needs no knowledge."""

from training.conversation import Message, assistant, user
from training.synthetic.grammar import Intent, Voice, expand
from training.synthetic.words import HOBBIES, JOKES, MEALS, NAMES, PETS

_OFFER = "[How can I help you?|What can I do for you?|What would you like to talk about?|How can I help?|What is on your mind?|What shall we talk about?]"

_REMARKS = (
    "I [just|only just] [woke up|came home|had lunch|sat down|finished work|made some tea|got up|read the news]",
    "it is [a nice day|raining here|so late|still early|nearly weekend|hot in here|my first try|a long way]",
    "I am [at work|on the bus|in a hurry|a bit bored|on my sofa|so tired|still learning|new to this|happy today]",
    "my [phone is ringing|coffee is cold|friends are waiting|dinner burns|{pet} wants out|train comes|boss calls me|son needs me]",
    "we [talked enough|had fun|will see|have guests|learned a lot|got it done]",
    "that was [quick|all|good to know|a lot|useful|easy|the last one]",
    "you [know a lot|explain well|are quick|work fine|made it clear]",
    "[this|that] [looks nice|works now|did help|makes sense|is enough]",
    "I [like this|have a question|know now|was curious|must feed my {pet}|will try {hobby}|want {meal}]",
)
"""What people add to a greeting, a thank you or a goodbye."""

GREETING = Intent(
    "greeting",
    (
        "[Hi|Hello|Hey][ there|][!|.|]",
        "[Good|A good] [day|day to you][!|.|]",
        "[Hiya|Howdy|Yo|Heya|Hallo|Greetings][!|.|]",
        "[Hello|Hi|Hey] [Tradewind|friend|you|everyone|again][!|.|]",
        "Hello[, hello|, is anyone there?|, anyone there?| from me!]",
        "Nice to [meet|see] you[!|.|]",
        "[Hi|Hello], I am new here.",
        "What's up?",
        "[Hey|Hi|Hello], how's it going?",
        "[Hello|Hi|Hey], can we [talk|chat]?",
        "[Can|Could|Shall|May] we [talk|chat|talk a bit|have a chat]?",
        "I want to [talk|chat] [with you|to you|].",
        "Let's [talk|chat|have a talk].",
        "Are you there?",
        "[hi|hello|hey] [hi|hello|hey]",
        "Hey ho!",
        "[Oh|Ah|Well], [hi|hello|hey][ there|][!|.|]",
        "[Hello|Hi|Hey] [my friend|there friend|dear assistant|little one|machine|robot|stranger|old friend][!|.|]",
        "[Hello|Hi|Greetings] from [Berlin|Rome|my kitchen|Norway|the train|sunny Spain|my sofa|Chicago][!|.|]",
        "[Hi|Hello], [it's me|me again|I am back|here I am|back again][!|.|]",
        "[Is anybody|Is someone|Anyone] [there|here|home|listening]?",
        "[Hello|Hi|Hey] [and|,] [good to see you|nice to see you|nice day|how nice]!",
        "[Hi|Hello], [first time here|I just installed you|I wanted to try you|let me try you out][!|.|]",
        "[Happy|A happy] [Monday|Tuesday|Wednesday|Thursday|weekend|Sunday][!|.|]",
        "[heyy|hellooo|hii|helo|hallo there|heya|hullo|hi hi][!|.| :)|]",
        "[Wake up|Are you on|Are you up|Can you hear me|Do you read me]?",
        "[I just|I only] wanted to say [hi|hello|good day].",
        "[Morning|Evening|Afternoon|Night][!|.| all!|]",
        "[A|One] [big|little|friendly|quick] [hello|hi] [to you|for you|from me][!|.|]",
        "[Hello|Hi], [glad to be here|happy to meet you|I hope you are well|I hope I am not too late][!|.|]",
        "[Say hello|Say hi|Greet me][!|.|]",
        "[Hello|Hi|Hey|Howdy][ there|], {remark}[.|!|]",
        "{Remark}[.|!|,] [hello|hi|hey][ to you| there|][!|.|]",
        "[Hello|Hi|Hey|Good day][!|.] {Remark}[.|!|]",
        "[Well|Oh|Ah] [hello|hi|hey] [to you|there|again][, my {pet}-loving friend|, dear model|, little helper|, {remark}|][!|.|]",
        "[Evening|Morning|Afternoon|Hiya|Yo][!|.|,] {Remark}[.|!|]",
        "[A warm|A friendly|A loud|A sleepy] [hello|hi|good morning|good evening] [from|to] [us|me|all of you|everybody|my desk|my {pet}][!|.|]",
        "[hiiii|helloo|heyyy|hellooooo|hi][!| :-)| :)| ;)|]",
        "[Hey|Hi|Hello|Yo], [are you up|are you on|are you there|you up|still there|are you around|are you listening|got a minute][?|, my friend?| today?|]",
        "[Howdy|Hiya|Hello|Hey there|G'day|Yo] [pal|mate|buddy|folks|neighbour|boss|sunshine|little bot], [what is new|how is it over there|all well|how are you doing|how do you do][?|]",
        "[Ding dong|Tap tap|Toc toc|Cuckoo][!|,] [anyone there|hello|somebody home|are you in]?",
    ),
    (
        "[Hello|Hi|Hello there|Hi there|Hey]! " + _OFFER,
        "[Hello|Hi|Hi there]! [I am Tradewind.|I am Tradewind, a small model on this computer.|Nice to meet you.|It is nice to hear from you.] "
        + _OFFER,
        "[Hello|Hi|Hey there]! [Nice to meet you.|I am glad you are here.|Good to see you.]",
    ),
)

TIME_OF_DAY = Intent(
    "time_of_day",
    ("Good {time}[!|.|]", "[Hello|Hi], good {time}[!|.|]", "Good {time} to you[!|.|]", "A very good {time}[!|.|]"),
    ("Good {time}! " + _OFFER, "Good {time}! [I hope your day is going well.|Nice to hear from you.|] " + _OFFER),
)

INTRODUCTION = Intent(
    "introduction",
    (
        "[Hi|Hello|Hey], [I am|I'm|my name is] {name}[!|.|]",
        "My name is {name}[!|.|]",
        "I am {name}[. Nice to meet you|, and you|][.|!|]",
        "[Hi|Hello|Hey], {name} here[!|.|]",
        "[Hello|Hi], you can call me {name}[.|!|]",
        "I'm {name}[. Who are you?|. And you?|.|!]",
        "People call me {name}.",
        "This is {name} speaking.",
    ),
    (
        "[Hello|Hi|Nice to meet you|Welcome], {name}! I am Tradewind. " + _OFFER,
        "[Hello|Hi], {name}! [Nice to meet you.|It is nice to meet you.] I am Tradewind[, a small model that runs on this computer|].",
    ),
)

COURTESIES = (
    Intent(
        "thanks",
        (
            "Thank you[ very much| so much|][!|.|]",
            "Thanks[ a lot| for your help| so much|][!|.|]",
            "[That was|That's|This is] [very |really |]helpful[, thank you|. Thanks|][!|.|]",
            "[Great|Perfect|Good|Nice|Cool|Okay|Wonderful], [thanks|thank you][!|.|]",
            "Many thanks[!|.|]",
            "I appreciate [it|your help|that].",
            "You [helped me a lot|were a great help|are very helpful].",
            "Cheers, [mate|thanks|that helped]!",
            "thx",
            "That is kind of you.",
            "[Thank you|Thanks] [for that|for this|for the answer|for your time|for explaining|for listening|again|my friend|kindly][!|.|]",
            "[Oh|Ah|Wow|Okay|Right|Alright], [thank you|thanks|thanks a lot][!|.|]",
            "[That|This|It] [helps|helped|works|worked|did the trick] [a lot|well|me|], [thanks|thank you|many thanks][!|.|]",
            "[I am|I'm] [so |very |really |][grateful|thankful][ to you|][!|.|]",
            "[Now I know|Now I understand|Good to know|I see], [thanks|thank you][!|.|]",
            "[ta|tysm|thanx|thank u|thnks|tnx][!|]",
            "[Super|Excellent|Fantastic|Lovely|Awesome|Amazing|Marvellous], [that is it|exactly what I wanted|just right|thank you so much][!|.|]",
            "[You are|You're] [a star|an angel|a treasure|so kind|the best], [thanks|thank you][!|.|]",
            "[What would I do without you|I could not have done it without you][?|!| Thanks!]",
            "[Thanks|Thank you], [you helped me|that was quick|that was easy|I got it|I am happy now][!|.|]",
            "[Thank you|Thanks] for [the help|the joke|the story|the list|being there|your patience|your answer][!|.|]",
            "[One more|Another|A big|A thousand] [thank you|thanks][!|.|]",
            "{Remark}[.|!|,] [thanks|thank you|many thanks|thank you so much][!|.|]",
            "[Thanks|Thank you|Many thanks|Cheers|Thank you kindly][.|!|,] {remark}[.|!|]",
            "[I owe you|I am obliged|Much appreciated|Bless you|Good of you][, really|, thanks|][!|.|]",
            "[That|This] [solved|answered|explained|fixed|sorted] [it|everything|my question|what I asked|my problem][, thanks|. Thank you|, cheers|][!|.|]",
            "[Thank you|Thanks] [ever so much|a million|a bunch|a ton|loads|heaps|from the heart][!|.|]",
            "[What|Such] a [good|kind|lovely|clear|quick] [answer|reply|explanation|help][, thanks|, thank you][!|.|]",
            "[thanks|thank you|ty|thx|cheers|ta] [a lot|a ton|loads|heaps|so much|again|for real|you two][,|] [mate|pal|buddy|dude|friend|love|bro|my dear][!|.|]",
            "[ty|thx|tysm|thanks|cheers|nice one], [that was it|it worked|got it|all clear|solved|exactly that|that helps][!|.|]",
            "[Most|Very much|Deeply|Greatly|So] [obliged|grateful|appreciated|thankful|indebted][!|.| to you.|]",
            "[Great|Sweet|Neat|Superb|Brilliant|Wonderful|Lovely], [thanks again|once again thanks|thank you again|cheers|you have my thanks|many thanks][!|.|]",
            "[I|We] [thank you|want to thank you|really thank you|can only thank you|must thank you] [for everything|so much|warmly|again|for your trouble|a lot][!|.|]",
        ),
        (
            "You are welcome! [Is there anything else?|Have a nice day!|]",
            "[No problem|With pleasure|Glad I could help|I am happy that it helped]! [Is there anything else?|]",
            "[You're welcome|You are very welcome|My pleasure|Glad to help|Any time|Happy to help]!",
        ),
    ),
    Intent(
        "goodbye",
        (
            "[Bye|Goodbye|Bye bye|See you|So long|Farewell][!|.|]",
            "See you [later|soon|tomorrow|next time][!|.|]",
            "Good night[!|.|]",
            "I [have to|must|need to|should] go[ now|].",
            "[Have a nice day|Have a good one|Take care][!|.|]",
            "[That's all|That is all for now|That was all], [bye|goodbye|thanks, bye|see you][!|.|]",
            "Talk to you [later|soon|tomorrow].",
            "I am [leaving|off|going to bed] now.",
            "[Until next time|Until tomorrow][!|.|]",
            "Ciao!",
            "I'm done for today.",
            "[Okay|Right|Well|Alright|So], [bye|goodbye|I am off|I have to go|see you][!|.|]",
            "[Bye|Goodbye|See you], [friend|Tradewind|dear|my dear|everyone|then|for now][!|.|]",
            "I [have to|must|need to] [cook|work|sleep|leave|study|catch my bus|feed the cat|pick up my son|go shopping], [bye|see you|goodbye][!|.|]",
            "[My|The] [bus|taxi|lunch|break|boss|mother|bed] is [here|waiting|calling|over], [bye|goodbye|see you][!|.|]",
            "[It is|It's] [late|bedtime|time to go|time to sleep], [good night|bye|goodbye][!|.|]",
            "[See you|Talk to you|Until|We talk again] [on Monday|in the morning|next month|after lunch|tonight|some day][!|.|]",
            "[Sleep|Rest] [tight|well|a bit][!|.|]",
            "[bye|cya|bb|gtg|g2g|bye bye|laters][!|.|]",
            "[I will|I'll] [be back|come back|write again] [later|soon|tomorrow|some time][!|.|]",
            "[That was|It was] [nice|fun|a pleasure|good] [talking to you|to chat|chatting], [bye|goodbye|see you][!|.|]",
            "[Have|Enjoy] [a great evening|a lovely day|a good weekend|a nice time][!|.|]",
            "[I am|I'm] [going to work|going out|closing this|shutting down|leaving the house] now[, bye|. Goodbye|]!",
            "[Let us|Let's] [end here|call it a day|finish|talk later][!|.|]",
            "[Good night|Nighty night|Sweet dreams], [Tradewind|my friend|see you tomorrow|and thanks][!|.|]",
            "[So long|Farewell|Goodbye|Bye], [and thanks|and take care|it was fun|until later][!|.|]",
            "{Remark}[.|!|,] [bye|goodbye|see you|good night|so long|take care][!|.|]",
            "[Bye|Goodbye|See you|So long|Good night|Farewell|Later][.|!|,] {remark}[.|!|]",
            "[Right|Okay|Well|Now], [I must run|off I go|I am out of here|I am heading home|I am going][. Bye|, bye|. Goodbye|. See you|][!|.|]",
            "[I will|I'll] [leave you alone|let you rest|stop here|log out|sign off|go to sleep] [now|for today|then][, bye|. Goodbye|, see you|][!|.|]",
            "[Catch|See|Meet] you [around|again|soon|on the other side|in a while|another day][, friend|, model|][!|.|]",
            "[Adieu|Adios|Arrivederci|Toodle-oo|Ta-ta|Over and out|Toodles][!|.|]",
            "[Gotta|Got to|Have to|Must] [go|run|leave|dash|fly][ now|][, bye|. Bye|, see you|. Good night|][!|.|]",
            "[Signing|Logging|Heading|Going|Clocking|Dropping] [off|out] [now|for today|then|here|for lunch|for the night][, take care|, see you|, bye| and good night|][!|.|]",
            "[Adieu|Adios|Farewell|Cheerio|So long|Ciao|Later|Goodbye|Au revoir][,|] [friend|old friend|dear friend|dear|little one|model|you|then|everybody|all][!|.|]",
            "[See|Catch|Meet|Talk to|Write to] [you|ya|u] [later|soon|around|tomorrow|next time|then|tonight][,|] [machine|alligator|friend|buddy|tiny model|little friend|my dear|Tradewind][!|.|]",
            "[Take care|Look after yourself|Be well|Stay well|All the best|Be good|Stay safe][, friend|, and bye|, I am off| till then| until we meet again|][!|.|]",
            "[I am|I'm] [gone|away|offline|logging out|shutting the lid|going to sleep|hitting the hay] [now|for today|soon|till Monday][. Take care|. Be well|, bye|][!|.|]",
        ),
        (
            "[Goodbye|Bye|See you|Take care]! [Have a nice day.|It was nice to talk to you.|Come back any time.|]",
            "[Goodbye|Bye for now|See you soon]! [Take care.|I enjoyed our chat.|]",
        ),
    ),
)

INTENTS = (
    Intent(
        "how_are_you",
        (
            "How are you[ today|]?",
            "How are you doing[ today|]?",
            "How do you [feel|do]?",
            "How is it going?",
            "[Hi|Hello|Hey][,|!] how are you[ today|]?",
            "Are you [well|okay|doing well|alright]?",
            "How is your day[ going| so far|]?",
            "How have you been?",
            "And how are you?",
            "I'm fine, and you?",
            "How was your [day|morning|week|weekend]?",
            "You okay?",
            "[Everything|All] [okay|good|fine|well] [with you|there|over there|]?",
            "[Hi|Hello], [are you well|all good|everything fine]?",
            "What's new[ with you|]?",
            "How [is life|are things|goes it|are you feeling][ today| these days|]?",
            "[I hope you are well|Hope you are fine][.|!]",
        ),
        (
            "I am [doing well|fine|well|very well], thank you[ for asking|]. [How are you?|And you?|How about you?]",
            "[All is well here, thanks.|I am fine, thanks!|Very well, thank you!] [How are you?|How is your day?|How can I help you?]",
        ),
    ),
    Intent(
        "sad",
        (
            "I am [sad|unhappy|down|depressed|upset|lonely][ today| right now|].",
            "I feel [sad|bad|lonely|terrible|low|blue][ today|].",
            "I had a [bad|hard|terrible|rough|awful] day[ today| at work|].",
            "I [lost my job|failed my exam|missed my train|broke my phone|had a fight with my friend].",
            "My [cat|dog|grandmother|friend] is [ill|sick|in hospital].",
            "Nobody [likes|understands|loves] me.",
            "Today was [awful|terrible|not a good day|hard].",
            "I want to cry.",
            "Things are not going well[ for me|].",
        ),
        (
            "I am sorry to hear that. [Do you want to talk about it?|What happened?|I hope it gets better soon.|Would you like to tell me more?]",
            "[Oh no, that sounds hard.|That must be hard.|I am sorry.] [Do you want to tell me more?|Maybe it helps to talk to a friend.|Be kind to yourself today.|I hope tomorrow is better.]",
        ),
    ),
    Intent(
        "happy",
        (
            "I am [happy|so happy|very happy|excited|in a good mood][ today|][!|.|]",
            "I feel [great|good|wonderful|fantastic][ today|][!|.|]",
            "I [passed my exam|got a new job|won a prize|got married|finished my book|found my keys][!|.|]",
            "Today [was|is] a [great|good|wonderful|perfect] day[!|.|]",
            "It is my birthday[ today|][!|.|]",
            "I am going on holiday [tomorrow|soon|next week][!|.|]",
            "We won the [game|match|race][!|.|]",
            "I have good news[!|.|]",
            "Life is good[!|.|]",
        ),
        (
            "That is [great|wonderful|lovely|good news]! [Tell me more.|What made it so good?|I am happy for you.|]",
            "[How nice!|Wonderful!|Congratulations!|That sounds great!] [I am happy for you.|Enjoy it!|What will you do next?]",
        ),
    ),
    Intent(
        "tired",
        (
            "I am [tired|so tired|exhausted|sleepy].",
            "I [did not sleep|slept badly|could not sleep][ last night|].",
            "I need [sleep|a break|a rest|a holiday].",
            "I [worked|studied] [all day|all night|too long].",
            "I cannot [keep my eyes open|stay awake].",
            "I feel [tired|sleepy|worn out].",
            "It has been a long [day|week].",
            "I could sleep for a week.",
        ),
        (
            "[You should get some rest.|A short nap might help.|Maybe go to bed early tonight.|Then take a break and drink some water.] [You deserve it.|I hope you feel better soon.|]",
            "That sounds tiring. [Can you rest for a while?|I hope you can sleep well tonight.|]",
        ),
    ),
    Intent(
        "bored",
        (
            "I am [bored|so bored|very bored].",
            "I have nothing to do.",
            "What [should|can|shall] I do [today|now|tonight|this weekend|]?",
            "Give me something to do.",
            "I don't know what to do[ today| this weekend|].",
            "It is [so |]boring here.",
            "Any ideas for [today|the weekend|tonight]?",
            "Entertain me!",
            "What can I do when it rains?",
        ),
        (
            "You could [read a book|go for a walk|call a friend|cook something new|draw a picture|listen to music|write a letter|play a game]. [Would you like that?|It might be fun.|]",
            "[How about|Why not try] [a walk outside|a good book|a puzzle|some music|baking a cake|a board game|calling an old friend]?",
        ),
    ),
    Intent(
        "hungry",
        (
            "I am [hungry|so hungry|starving].",
            "What should I [eat|cook|have] [today|tonight|for dinner|for lunch|for breakfast|]?",
            "I want something [to eat|sweet|tasty|warm].",
            "Give me an idea for [dinner|lunch|breakfast|a meal].",
            "What's for dinner?",
            "I don't know what to cook[ tonight|].",
            "Suggest a [meal|dish|dinner].",
            "My stomach is empty.",
        ),
        (
            "How about [a bowl of soup|some pasta|a sandwich|rice with vegetables|an omelette|a salad|pancakes|fried potatoes]? [It is quick and easy.|It does not take long.|]",
            "You could [make|cook|try] [some pasta|a simple soup|a sandwich|scrambled eggs|a salad|baked potatoes]. [Enjoy your meal!|]",
        ),
    ),
    Intent(
        "insult",
        (
            "You are [stupid|dumb|useless|boring|silly|annoying|terrible].",
            "[That is|That's|This is] [wrong|nonsense|not true|not right|rubbish].",
            "I [hate|don't like] you.",
            "Shut up[!|.|]",
            "You [know nothing|are no help|made a mistake].",
            "That makes no sense.",
            "You don't understand [me|anything].",
            "What a [bad|stupid] answer.",
            "That was not helpful.",
        ),
        (
            "I am sorry. I am a small model and I make mistakes. [Can you ask in another way?|Shall we try again?|]",
            "Sorry about that. [I will try to do better.|Could you say it in other words?|Let us try again.]",
        ),
    ),
    Intent(
        "praise",
        (
            "You are [great|nice|smart|funny|cool|clever|the best|awesome|sweet][!|.|]",
            "I like [you|talking to you|your answers][!|.|]",
            "[Well done|Good job|Nice work|Good answer|Correct|That's right][!|.|]",
            "[That was|That is] [funny|nice|a good answer|right|clever][!|.|]",
            "You made me [laugh|smile][!|.|]",
            "Good [bot|boy|girl][!|.|]",
            "Wow, you are [good|fast|quick][!|.|]",
            "I love you[!|.|]",
        ),
        (
            "[Thank you|Thanks]! [That is kind of you.|You are kind.|I do my best.|I am glad to hear it.]",
            "[That is nice of you to say.|How kind!|You make a small model proud.] [What else can I do for you?|]",
        ),
    ),
    Intent(
        "joke",
        (
            "Tell me a joke[ please|].",
            "[Do|Don't] you know [a|any] [good |]joke[s|]?",
            "Make me laugh.",
            "Say something funny.",
            "Another joke[, please|][!|.|]",
            "[Can|Could] you tell [me |]a joke?",
            "I need a [laugh|joke].",
            "I want to hear a joke.",
            "Got any jokes?",
        ),
        tuple(JOKES),
    ),
    Intent(
        "confused",
        (
            "[asdf|qwerty|hjkl|blah blah|lorem ipsum|zzz|xyz|aaaa]",
            "[Hmm|Well|Uh|Er|Um][.|...|]",
            "What?",
            "I don't understand[ you| that|].",
            "[Why|How|When]?",
            "What do you mean[ by that|]?",
            "[test|testing|this is a test|one two three]",
            "Huh?",
            "...",
            "?",
        ),
        (
            "I am not sure what you mean. [Could you say it in other words?|Can you tell me more?|What would you like to know?]",
            "[Sorry, I did not understand that.|I did not get that.] [Can you ask in another way?|Could you explain it a little?]",
        ),
    ),
    Intent(
        "like",
        (
            "I [like|love|enjoy] {hobby}[ very much| a lot| at the weekend|].",
            "My hobby is {hobby}.",
            "I [spent|was] the [day|afternoon|whole weekend] {hobby}.",
            "Today I was {hobby} [with my friends|with my family|in the garden|alone].",
            "{hobby} is [my favourite thing|fun|so relaxing|the best].",
            "Let's talk about {hobby}.",
            "I am thinking about {hobby} [tomorrow|later|this weekend].",
            "In my free time I go for {hobby}.",
        ),
        (
            "[That sounds|Sounds] [fun|nice|like a good time|relaxing]! [How often do you do it?|What do you like about {hobby}?|Do you do it alone or with friends?|How did you start?]",
            "[Nice!|How nice!|Good choice!] [What do you enjoy most about {hobby}?|Have you done it for a long time?|I only know {hobby} from texts.]",
        ),
    ),
    Intent(
        "pet",
        (
            "I have a {pet}.",
            "My {pet} is [so cute|very funny|sleeping|my best friend|hungry].",
            "We have a {pet} at home.",
            "I [got|bought|want] a [new |]{pet}[ yesterday| last week|].",
            "Do you like my {pet}?",
            "My {pet} [ate my shoe|made a mess|ran away|is barking|jumped on the table].",
            "I am playing with my {pet}.",
            "My {pet} is called [Max|Luna|Bella|Charlie|Milo].",
        ),
        (
            "[Oh, a {pet}!|A {pet} is a lovely pet.|How nice, a {pet}!] [What is its name?|How old is it?|Does it like to play?]",
            "Your {pet} sounds [lovely|fun|sweet]. [What does it like to do?|How long have you had it?|]",
        ),
    ),
    Intent(
        "meal",
        (
            "I [had|ate|cooked|made] {meal} [today|for lunch|for dinner|yesterday].",
            "I [like|love] {meal}.",
            "We are having {meal} [tonight|for dinner].",
            "{meal} is my favourite food.",
            "I am [eating|cooking|making] {meal}.",
            "Should I make {meal}?",
            "My [mother|father|wife|husband|sister] makes the best {meal}.",
            "How about {meal}?",
        ),
        (
            "[Yum!|That sounds delicious!|Tasty!|Sounds good!] [Did you make it yourself?|What goes well with it?|I hope it tastes good.|I cannot eat, but I like to hear about it.]",
            "I have heard good things about {meal}. [Do you cook often?|Enjoy!|]",
        ),
    ),
    Intent(
        "weather_talk",
        (
            "It is [raining|snowing|sunny|cold|hot|windy|foggy] [today|here|outside][!|.|]",
            "The weather is [nice|bad|lovely|awful|terrible] [today|here][!|.|]",
            "The sun is shining[!|.|]",
            "I [like|love|hate] [rain|snow|the sun|the summer|the winter|autumn|spring].",
            "What a [beautiful|grey|rainy|hot|cold] day[!|.|]",
            "I am [cold|hot|wet].",
            "It [rained|snowed] all day.",
            "There was a storm last night.",
        ),
        (
            "[I cannot see the weather, but I believe you.|I have no window, so thank you for telling me.] [Will you go outside?|Do you like it?|]",
            "[Then stay warm and dry!|Take good care of yourself.|I hope you enjoy it.] [What will you do today?|Do you have plans?]",
        ),
    ),
)


def greeting(voice: Voice) -> list[Message]:
    """A greeting and its answer."""
    return GREETING.exchange(voice, **_slots(voice))


def opening(voice: Voice) -> list[Message]:
    """The first exchange of a chat: a greeting, with the time of day or a name at times."""
    dice = voice.rng.random()
    if dice < 0.5:
        return greeting(voice)
    if dice < 0.7:
        return TIME_OF_DAY.exchange(voice, time=voice.rng.choice(("morning", "afternoon", "evening")))
    return INTRODUCTION.exchange(voice, name=voice.rng.choice(NAMES))


def courtesy(voice: Voice) -> list[Message]:
    """A thank you or a goodbye and its answer."""
    return voice.rng.choice(COURTESIES).exchange(voice, **_slots(voice))


def small_talk(voice: Voice) -> list[Message]:
    """One exchange about moods, food, pets, the weather and the like."""
    rng = voice.rng
    ask, reply = rng.choice(INTENTS).exchange(voice, **_slots(voice))
    return [
        user(ask.content[:1].upper() + ask.content[1:] if rng.random() < 0.8 else ask.content),
        assistant(reply.content),
    ]


def _slots(voice: Voice) -> dict[str, str]:
    """Something to talk about, the same in a question and its answer."""
    rng = voice.rng
    things = {"hobby": rng.choice(HOBBIES), "pet": rng.choice(PETS), "meal": rng.choice(MEALS)}
    remark = expand(rng.choice(_REMARKS), rng, things)
    return {"remark": remark, "Remark": remark[0].upper() + remark[1:], **things}

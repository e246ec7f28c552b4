package password

// common is what is tried first: the words behind the passwords that head every
// list of leaked ones. It is kept in lower case and without the digits and
// signs around a word, which Acceptable takes off before it looks; what is only
// digits stands as it is. Sequences and repetitions have a rule of their own.
const common = `
password passwort passw0rd p@ssw0rd p@ssword pa55word pa55w0rd passwd pass passpass password1password motdepasse
contraseña contrasena senha parola heslo haslo wachtwoord lösenord salasana parool jelszo sifre
qwerty qwertz azerty qwertyui qwertyuiop qwertzuiop azertyuiop qwertyqwerty qwert qwer asdf asdfg asdfgh asdfghjk
asdfghjkl asdfasdf zxcv zxcvb zxcvbn zxcvbnm qazwsx qazwsxedc wsxedc 1q2w3e 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y q1w2e3
q1w2e3r4 q1w2e3r4t5 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 zaq12wsx zaq1xsw2 qwer1234 asdf1234 1234qwer q1w2 qweasd qweasdzxc
qwe123qwe 123qwe 123qweasd qweqwe asdasd zxczxc
12341234 11223344 12344321 123123123 112233445566 147258369 159357 741852963 789456123 987654321 13131313 12121212
10203040 123454321 246813579 135792468 11112222 12345679 87654321 01234567 19841984 1357924680 31415926 123321123
123456789a a123456789 a1b2c3d4 a1b2c3 abc123abc 1a2b3c4d abcd1234 1234abcd abc12345 abcd12345 12345abc 123abc
admin administrator administrateur root toor user username guest test tester testing testtest demo login logon default
changeme change letmein letmeinnow welcome willkommen bienvenue bienvenido temp temporary secret supersecret topsecret
master masterkey system server service support manager oracle cisco linux ubuntu windows microsoft google facebook
amazon apple samsung computer internet laptop network database security secure signet access access14 private public
iloveyou iloveu ilovey iloveme loveyou lovely love lover loveme lovers loveyou2 teamo tequiero jetaime amour amor
princess prince queen king princesa angel angels angelo angelina babygirl babyboy baby babe sweet sweetie sweety honey
beautiful gorgeous pretty cutie flower flowers butterfly sunshine sunflower rainbow summer winter spring autumn sommer
january february march april june july august september october november december monday tuesday wednesday thursday
friday saturday sunday
football football1 soccer baseball basketball hockey volleyball tennis golf golfer rugby cricket boxing fussball futbol
liverpool liverpoolfc chelsea arsenal manchester manutd barcelona realmadrid juventus milan benfica porto celtic rangers
everton newcastle tottenham bayern dortmund galatasaray fenerbahce besiktas yankees redsox cowboys lakers steelers
packers raiders eagles giants patriots broncos dolphins chicago boston dallas london paris berlin moscow newyork texas
california florida america canada england scotland ireland france germany deutschland espana italia brasil mexico
australia india russia ukraine polska portugal holland
dragon dragons monkey tiger tigers lion lions horse horses dog doggie cat kitty kitten puppy rabbit bear eagle falcon
hawk phoenix wolf wolves shark panther cougar jaguar dolphin chicken turtle spider scorpion snake cobra viper
superman batman spiderman ironman wonderwoman hulk avengers joker starwars startrek skywalker jedi yoda darkside
darth vader trustno pokemon pikachu naruto minecraft roblox fortnite counterstrike warcraft starcraft playstation
nintendo xbox zelda mario luigi sonic tetris matrix merlin gandalf hobbit frodo harrypotter hogwarts potter hermione
sherlock simpsons garfield snoopy scooby mickey mickeymouse minnie tinkerbell cinderella barbie disney nemo
michael michelle jennifer jessica jordan joshua matthew daniel david andrew anthony ashley amanda robert thomas william
charlie george charles richard christian christopher nicholas nicole natalie stephanie samantha elizabeth victoria
alexander alexandra alejandro alexis anderson andrea andreas antonio benjamin brandon caroline catherine claudia
cristina danielle dennis diana dominic edward eduardo elena eric fernando francis francisco gabriel gabriela giovanni
hannah heather isabella isabelle jackson jacob james jasmine jason jessie johnny jonathan joseph juliana justin
katherine kimberly laura lauren leonardo lorenzo louise lucas madison marcus margaret maria mariana marina mario martin
martina melanie melissa miguel monica morgan natasha nathan olivia oliver pamela patricia patrick peter phillip rachel
rebecca ricardo roberto ronaldo messi neymar beckham sandra sarah sebastian sophie spencer steven stephen susan taylor
tiffany tyler valentina valeria vanessa veronica vincent virginia zachary whitney
chocolate cookie cookies coffee cheese cherry banana orange strawberry pepper ginger peanut butter pumpkin sugar candy
pizza burger whisky corona guinness heineken
blue red green black white purple yellow silver golden gold diamond diamonds crystal blackbird blessed blessing faith
jesus jesuschrist christ jesus1 godisgood god heaven church bible angel1 trinity allah bismillah mohammed muhammad
buddha krishna
freedom liberty justice peace forever always friend friends friendship bestfriend family mother father mommy daddy mama
papa brother sister mylove mybaby myself life lifeisgood happy happiness lucky smile smiley hello hellohello hallo
bonjour hola ciao goodbye whatever nothing something anything everything nobody somebody
hunter hunting fishing fisher soldier warrior killer sniper ranger rangers marine marines airborne army navy pirate
ninja samurai shadow shadows ghost phantom demon devil lucifer satan vampire zombie monster monsters hell
ferrari porsche mercedes mustang corvette camaro chevy chevrolet harley davidson yamaha suzuki kawasaki honda toyota
nissan subaru mazda bmw audi lamborghini maserati jaguar1 bugatti tesla
metallica nirvana slipknot ironmaiden blink eminem tupac rammstein acdc beatles rockstar rocknroll rock punk music
guitar guitars drummer piano hiphop dancer dancing madonna shakira rihanna beyonce onedirection justinbieber
sexy sexygirl hotgirl hottie playboy fuckyou fuckoff fuckme fucker asshole bitch pussy bigdick hardcore
student teacher school college university hospital doctor police lawyer money dollar million rich business office
company work working team
abracadabra opensesame correcthorsebatterystaple correct-horse-battery-staple mynoob cheyenne bailey maggie buster
bandit rocky rusty oreo coco toby lucky7 max bella molly daisy lucy jake duke sammy sadie zoe
midnight thunder lightning storm tornado hurricane volcano mountain ocean river forest island beach paradise galaxy
universe planet earth moonlight starlight stardust cosmos apollo jupiter mercury saturn venus neptune pluto titan
einstein newton galileo mozart beethoven picasso shakespeare napoleon caesar spartacus spartan gladiator excalibur
precious trouble serenity passion romance scarlett slayer stalker player gamer hacker hackers cracker anonymous
`

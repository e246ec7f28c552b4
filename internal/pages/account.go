package pages

// Given is a consent that a person gave to a third-party client.
type Given struct {
	ID     string // the client's, posted as `client`
	Client Client // only its name and host are shown
	Scopes []Scope
	Since  string // the day of the answer, in words
}

// Seat is one browser in which the person is signed in.
type Seat struct {
	ID       string // the session's sid, posted as `sid`
	Device   string // what the browser says it is, in words
	Handheld bool   // a phone or a tablet
	Address  string // where it was when it signed in; may be empty
	Since    string // the day, in words
	Seen     string // when it was here last, in words
	Clients  []string
	Here     bool // the browser that is shown the page
}

// Account is a person's own page. Each consent has a form that posts `request`
// and `client` to {Base}/account/consents; each other session one that posts
// `request` and `sid` to {Base}/account/sessions/end; all of them together one
// that posts `request` to {Base}/account/sessions/end-others.
type Account struct {
	User     User
	Password string // the day since which it has been the password; may be empty
	Seats    []Seat // this browser's first
	Consents []Given
	Request  string // sealed; comes back as it is
}

func (p Account) traits() traits {
	if len(p.Consents) == 0 && p.Others() == 0 {
		return traits{file: "account.html"}
	}
	return traits{file: "account.html", forms: formsHere}
}

// Others is in how many other browsers the person is signed in.
func (p Account) Others() int {
	n := 0
	for _, s := range p.Seats {
		if !s.Here {
			n++
		}
	}
	return n
}

package pages

import "strings"

// mark is a word by which a browser or a system gives itself away.
type mark struct{ word, name string }

// browsers in the order in which they must be asked: each says the names of those
// that it wants to be taken for, and its own.
func browsers() []mark {
	return []mark{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"OPT/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"}, {"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"},
		{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Chromium/", "Chromium"},
		{"Version/", "Safari"}, {"curl/", "curl"}, {"Wget/", "Wget"},
	}
}

// systems likewise: an iPhone says Mac OS X as well, and Android says Linux.
func systems() []mark {
	return []mark{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Macintosh", "macOS"}, {"Linux", "Linux"}, {"FreeBSD", "FreeBSD"},
	}
}

func find(agent string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(agent, m.word) {
			return m.name
		}
	}
	return ""
}

// Device is what a User-Agent says of a browser, in words: "Firefox on Windows".
// It is a claim, good for recognising one's own and for nothing else; versions are
// left out, since browsers make them up, and an iPad that asks for desktop pages
// is a Mac. Nothing of what was sent is ever shown as it is.
func Device(agent string) string {
	browser, system := find(agent, browsers()), find(agent, systems())
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "":
		return browser
	case system != "":
		return "A browser on " + system
	}
	return "An unknown browser"
}

// Handheld reports whether a User-Agent says that it is a phone's or a tablet's.
func Handheld(agent string) bool {
	system := find(agent, systems())
	return system == "iPhone" || system == "iPad" || system == "Android"
}

package demo

// stock is what a service is about.
type stock struct {
	Line    string // what the service is, in a line
	Records []record
}

// record is one thing that a service keeps, made up.
type record struct {
	Number  string `json:"number"`
	Subject string `json:"subject"`
	Party   string `json:"party"`
	State   string `json:"state"`
	Total   string `json:"total"`
}

func stockOf(service string) (stock, bool) {
	switch service {
	case "orders":
		return orders(), true
	case "invoices":
		return invoices(), true
	default:
		return stock{}, false
	}
}

func orders() stock {
	return stock{Line: "What the harbour has asked for, and where it is.", Records: []record{
		{"O-1042", "Brass portholes, 12", "Kestrel Boatyard", "on its way", "€ 2,148.00"},
		{"O-1041", "Tarred hemp rope, 400 m", "Harbour Office", "packed", "€ 912.50"},
		{"O-1039", "Signal lamps, 6", "North Pier Light", "delivered", "€ 1,374.00"},
		{"O-1036", "Sailcloth No. 4, 80 m²", "Kestrel Boatyard", "delivered", "€ 3,020.00"},
		{"O-1033", "Tide tables, 25", "Pilots’ Guild", "delivered", "€ 187.50"},
	}}
}

func invoices() stock {
	return stock{Line: "What the harbour owes, and what is settled.", Records: []record{
		{"I-2207", "Order O-1042", "Kestrel Boatyard", "open", "€ 2,148.00"},
		{"I-2206", "Order O-1041", "Harbour Office", "draft", "€ 912.50"},
		{"I-2203", "Order O-1039", "North Pier Light", "paid", "€ 1,374.00"},
		{"I-2198", "Order O-1036", "Kestrel Boatyard", "overdue", "€ 3,020.00"},
	}}
}

package mail

import (
	"fmt"

	"golang.org/x/text/language"
)

// words are a language's part of a message. Exported ones are for the templates.
type words struct {
	tag language.Tag

	When, Device, Place, Provider string
	Yours, NotYours               string
	Password, Sessions, Page      string

	subject, subjectOf string // without and with the product's name
	opening, openingOf string
	date, on           string
	months             [12]string
	types              map[string]string // of devices
	ways               map[string]string // to sign in, by Firebase's name of the provider
}

// Lang is the language for the attribute of that name.
func (w words) Lang() string { return w.tag.String() }

func (w words) title(product string) string { return named(w.subject, w.subjectOf, product) }
func (w words) intro(product string) string { return named(w.opening, w.openingOf, product) }

func named(without, with, product string) string {
	if product == "" {
		return without
	}
	return fmt.Sprintf(with, product)
}

func (w words) provider(name string) string {
	if way, ok := w.ways[name]; ok {
		return way
	}
	return brands[name]
}

// brands are the providers that have one name in all languages.
var brands = map[string]string{
	"apple.com": "Apple", "facebook.com": "Facebook", "gc.apple.com": "Game Center", "github.com": "GitHub", "google.com": "Google",
	"linkedin.com": "LinkedIn", "microsoft.com": "Microsoft", "playgames.google.com": "Google Play Games", "twitter.com": "X (Twitter)",
	"yahoo.com": "Yahoo",
}

var english = words{
	tag:  language.English,
	When: "Time", Device: "Device", Place: "Place", Provider: "Signed in with",
	Yours:    "If this was you, there is nothing to do.",
	NotYours: "If this was not you:",
	Password: "Change the password that you sign in with.",
	Sessions: "End this session on the page that lists your sessions.",
	Page:     "Your sessions",

	subject: "New sign-in to your account", subjectOf: "New sign-in to your %s account",
	opening: "Somebody has just signed in to your account.", openingOf: "Somebody has just signed in to your %s account.",
	date: "%d %s %d, %s UTC", on: "on",
	months: [12]string{
		"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	},
	types: map[string]string{
		"desktop": "Computer", "mobile": "Phone", "tablet": "Tablet", "bot": "Automated program", otherType: "Unknown device",
	},
	ways: map[string]string{"password": "Password", "phone": "Phone number"},
}

var spanish = words{
	tag:  language.Spanish,
	When: "Fecha y hora", Device: "Dispositivo", Place: "Lugar", Provider: "Medio de acceso",
	Yours:    "Si fuiste tú, no tienes que hacer nada.",
	NotYours: "Si no fuiste tú:",
	Password: "Cambia la contraseña con la que inicias sesión.",
	Sessions: "Cierra esta sesión en la página que muestra tus sesiones.",
	Page:     "Tus sesiones",

	subject: "Nuevo inicio de sesión en tu cuenta", subjectOf: "Nuevo inicio de sesión en tu cuenta de %s",
	opening: "Alguien acaba de iniciar sesión en tu cuenta.", openingOf: "Alguien acaba de iniciar sesión en tu cuenta de %s.",
	date: "%d de %s de %d, %s UTC", on: "en",
	months: [12]string{
		"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
	},
	types: map[string]string{
		"desktop": "Equipo de escritorio o portátil", "mobile": "Teléfono", "tablet": "Tableta", "bot": "Programa automatizado",
		otherType: "Dispositivo desconocido",
	},
	ways: map[string]string{"password": "Contraseña", "phone": "Número de teléfono"},
}

package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestLanguage(t *testing.T) {
	for accept, want := range map[string]string{
		"": "en", "en": "en", "es": "es", "es-MX": "es", "ES-419": "es", "es-ES,es;q=0.9,en;q=0.8": "es", "en-US,en;q=0.9,es;q=0.8": "en",
		"en;q=0.5, es;q=0.7": "es", "es;q=0.1, en": "en", "de, es;q=0.3": "es", "de": "en", "*": "en", "es;q=0": "en", "es;q=0, en": "en",
		"nonsense;;;": "en", "español": "en", strings.Repeat("es-", 5000): "en",
	} {
		inWorld(t, func(w *world) {
			a := w.do("GET", "/v1/token", "", header("Accept-Language", accept))
			p := a.problem(http.StatusUnauthorized, "token_missing")
			title, detail := "Token missing", "Send a Firebase ID token as Authorization: Bearer."
			if want == "es" {
				title, detail = "Falta el token", "Envía un token de ID de Firebase en Authorization: Bearer."
			}
			if p["title"] != title || p["detail"] != detail || a.header.Get("Content-Language") != want {
				t.Errorf("%.40q: %v, %v in %q", accept, p["title"], p["detail"], a.header.Get("Content-Language"))
			}
			if !slices.Contains(a.header.Values("Vary"), "Accept-Language") {
				t.Errorf("%.40q: varies by %v", accept, a.header.Values("Vary"))
			}
		})
	}
}

func TestLanguageOfFaults(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		for language, want := range map[string][]string{
			"en": {"must have at most 64 characters", "must be one of: desktop, mobile, tablet, bot, other", "is not known"},
			"es": {"debe tener como máximo 64 caracteres", "debe ser uno de estos valores: desktop, mobile, tablet, bot, other", "no se reconoce"},
		} {
			p := w.do("POST", "/v1/sessions", token, header("Accept-Language", language),
				body(`{"x":1}`)).problem(400, "invalid_request")
			got := objects(t, p["errors"])
			p = w.do("POST", "/v1/sessions", token, header("Accept-Language", language),
				body(`{"deviceName":"`+strings.Repeat("x", 65)+`","device":{"type":"fridge"}}`)).problem(400, "invalid_request")
			got = append(objects(t, p["errors"]), got...)
			for i, message := range want {
				if got[i]["message"] != message {
					t.Errorf("%s: %v, want %s", language, got[i], message)
				}
			}
		}
	})
}

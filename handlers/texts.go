package handlers

import (
	"fmt"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"
)

// languages are those that people are spoken to in. The first is what the code says and what everybody gets who asks for none
// of the others.
var (
	languages = []language.Tag{language.English, language.Spanish}
	matcher   = language.NewMatcher(languages)
)

// languageOf returns the one of our languages that the request likes best.
func languageOf(c echo.Context) language.Tag {
	wanted := strings.Join(c.Request().Header.Values(headerAcceptLanguage), ",")
	_, i := language.MatchStrings(matcher, wanted)
	return languages[i]
}

// in says an English text in another language. What comes from elsewhere and has no translation stays as it is.
func in(l language.Tag, text string, args ...any) string {
	if l == language.Spanish && spanish[text] != "" {
		text = spanish[text]
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// spanish has every text that an answer may show to people.
var spanish = map[string]string{
	"Token missing": "Falta el token",
	"Send a Firebase ID token as Authorization: Bearer.": "Envía un token de ID de Firebase en Authorization: Bearer.",

	"Token invalid": "Token no válido",
	"The token is not an ID token of this project.": "El token no es un token de ID de este proyecto.",

	"Token expired": "Token vencido",
	"The token has expired. Refresh it and try again.": "El token venció. Renuévalo e inténtalo de nuevo.",

	"Account disabled":                          "Cuenta inhabilitada",
	"The account has been disabled or deleted.": "La cuenta fue inhabilitada o eliminada.",

	"Sign-in revoked": "Inicio de sesión revocado",
	"This sign-in has been revoked. Sign in again.": "Este inicio de sesión fue revocado. Vuelve a iniciar sesión.",

	"Session required": "Se requiere una sesión",
	"No session has been registered for this sign-in.": "No hay ninguna sesión registrada para este inicio de sesión.",

	"Session ended":                         "Sesión terminada",
	"The session has ended. Sign in again.": "La sesión terminó. Vuelve a iniciar sesión.",

	"Sign-in required": "Se requiere iniciar sesión",
	"This needs a more recent sign-in. Sign in again.": "Esto requiere un inicio de sesión más reciente. Vuelve a iniciar sesión.",

	"Network changed": "Cambio de red",
	"The session has ended because it was used from another network. Sign in again.": "La sesión terminó porque se usó desde otra red. " +
		"Vuelve a iniciar sesión.",

	"Forbidden":                "Acceso denegado",
	"This is for admins only.": "Esto es solo para administradores.",

	"Invalid request": "Solicitud no válida",
	"The request is not valid. The errors say where.": "La solicitud no es válida. Los errores indican dónde.",

	"Not found":                           "No encontrado",
	"There is nothing here by that name.": "No hay nada aquí con ese nombre.",

	"Method not allowed": "Método no permitido",
	"The method is not one of those that the Allow header names.": "El método no es ninguno de los que indica el encabezado Allow.",

	"Too many sessions": "Demasiadas sesiones",
	"The account has as many sessions as it may have. End one of them first.": "La cuenta ya tiene todas las sesiones permitidas. " +
		"Primero termina una de ellas.",

	"Body too large": "Cuerpo demasiado grande",
	"The body of a request has at most 64 KiB.": "El cuerpo de una solicitud puede tener hasta 64 KiB.",

	"Misdirected request": "Solicitud mal dirigida",
	"This server answers to loopback host names only: localhost, 127.0.0.1 or [::1].": "Este servidor solo responde por nombres de " +
		"host de loopback: localhost, 127.0.0.1 o [::1].",

	"Too many requests": "Demasiadas solicitudes",
	"Too many requests at once. Try again after the time that Retry-After says.": "Demasiadas solicitudes a la vez. " +
		"Inténtalo de nuevo después del tiempo que indica Retry-After.",

	"Internal error": "Error interno",
	"Something went wrong here. The request id helps to find out what.": "Algo salió mal aquí. " +
		"El identificador de la solicitud ayuda a averiguar qué fue.",

	"Unavailable": "No disponible",
	"The request cannot be answered right now. Your session is not affected; try again soon.": "No es posible responder a la solicitud " +
		"ahora. Tu sesión no se ve afectada; inténtalo de nuevo pronto.",

	// The domain's.
	"recovering from an outage": "El servicio se está recuperando de una interrupción.",
	"The user's sign-ins are refused from now on; the rest of the revocation is completed as soon as possible.": "A partir de ahora se " +
		"rechazan los inicios de sesión del usuario; el resto de la revocación se completará lo antes posible.",

	// The socket's.
	"Too many sockets are being opened at once.":                       "Se están abriendo demasiados sockets a la vez.",
	"Too many sockets have not authenticated yet.":                     "Demasiados sockets aún no se han autenticado.",
	"This instance is shutting down.":                                  "Esta instancia se está apagando.",
	"The Origin header does not name an origin that may open sockets.": "El encabezado Origin no indica un origen que pueda abrir sockets.",
	"must be that of a WebSocket's handshake (RFC 6455)":               "debe ser el del handshake de un WebSocket (RFC 6455)",
	"must not be in a URL, where logs and histories keep it: send it in the first frame": "no debe ir en una URL, donde queda en logs e " +
		"historiales: envíalo en el primer frame",

	// What is wrong with a field, after its name.
	msgOnce:      "debe aparecer una sola vez",
	msgNull:      "no debe ser null",
	msgUnknown:   "no se reconoce",
	msgObject:    "debe ser un objeto JSON",
	msgSyntax:    "no es JSON válido",
	msgRead:      "no se pudo leer",
	msgBool:      "debe ser true o false",
	msgString:    "debe ser una cadena de texto",
	msgType:      "tiene un tipo incorrecto",
	msgSeconds:   "debe ser un número entero de segundos",
	msgOneOf:     "debe ser uno de estos valores: %s",
	msgLong:      "debe tener como máximo %d caracteres",
	msgPrintable: "solo debe tener caracteres imprimibles",
	msgSessionID: "debe ser el identificador de una sesión",
	msgSelf:      "debe ser true, ya que esto terminaría la sesión que estás usando",
	msgInvalid:   "no es válido",
	msgRequired:  "es obligatorio",
	msgUnicode:   "no es Unicode válido",
	msgUserID:    "debe ser el identificador de un usuario",
	msgIP:        "debe ser una dirección IP",
	msgCountry:   "debe ser el código de dos letras de un país",
	msgTime:      "debe ser una hora en formato RFC 3339, por ejemplo 2026-01-31T09:00:00Z",
	msgBetween:   "debe ser un número entero de %d a %d",
	msgPageToken: "debe ser el nextPageToken de una página",
	msgChoose:    "es obligatorio, salvo que all sea true",
	msgNotBoth:   "no debe ser true si hay un filtro",
	msgNoFilter:  "debe indicar algo; para terminar todas las sesiones, all debe ser true",

	// What Firebase does not accept.
	"is not a valid e-mail address":                "no es una dirección de correo electrónico válida",
	"is in use by another account":                 "ya está en uso en otra cuenta",
	"must have at least 6 characters":              "debe tener al menos 6 caracteres",
	"does not meet the requirements for passwords": "no cumple los requisitos de las contraseñas",
	"must be valid UTF-8":                          "debe ser UTF-8 válido",
	"the account's custom claims would be longer than 1000 bytes": "Los claims personalizados de la cuenta " +
		"superarían los 1000 bytes.",
	"the account has a custom claim with a number of 2^53 or more, which cannot be kept as it is": "La cuenta tiene un claim " +
		"personalizado con un número de 2^53 o más, que no se puede conservar tal como está.",
}

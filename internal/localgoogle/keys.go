package localgoogle

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	keyID   = "local"
	keyBits = 2048 // as Google's: a shorter key would make verification cheaper than it is
)

// hosts are those that are served.
var hosts = map[string]struct{}{"www.googleapis.com": {}, "oauth2.googleapis.com": {}, "identitytoolkit.googleapis.com": {}}

// makeKeys makes what is signed with: the key of tokens, and a certificate for the hosts that is its own authority.
func (s *Server) makeKeys() (tls.Certificate, error) {
	var err error
	if s.key, err = rsa.GenerateKey(rand.Reader, keyBits); err != nil {
		return tls.Certificate{}, err
	}
	s.access = rand.Text()
	public, err := certify(s.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if s.keys, err = json.Marshal(map[string]string{keyID: encodePEM("CERTIFICATE", public)}); err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	own, err := certify(key)
	return tls.Certificate{Certificate: [][]byte{own}, PrivateKey: key}, err
}

// certify returns a certificate of the key that is signed with the key itself.
func certify(key crypto.Signer) ([]byte, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), BasicConstraintsValid: true, IsCA: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		DNSNames: slices.Sorted(maps.Keys(hosts)),
	}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// writeFiles writes what a client has to be given: the authority to trust, and a key file as the Google Cloud console hands it out.
func (s *Server) writeFiles(certificate tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		return err
	}
	credentials, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": s.options.ProjectID, "client_email": "vigil@" + s.options.ProjectID + ".iam.gserviceaccount.com",
		"private_key": encodePEM("PRIVATE KEY", key), "token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		return err
	}
	return errors.Join(
		write(s.options.Dir, certificateFile, []byte(encodePEM("CERTIFICATE", certificate.Certificate[0]))),
		write(s.options.Dir, credentialsFile, credentials),
	)
}

func write(dir, name string, content []byte) error {
	return os.WriteFile(filepath.Join(dir, name), content, 0o600)
}

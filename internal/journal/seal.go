package journal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
)

const (
	hashDigits      = 2 * sha256.Size
	signatureDigits = 2 * ed25519.SignatureSize
	crcDigits       = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crcOf(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// blank is a seal that only what it seals is missing from: the room for that is
// there, so the line has its length.
func blank(first, last uint64, late bool, key ed25519.PrivateKey) *event.Seal {
	s := &event.Seal{
		First: first, Last: last, Late: late,
		CRCs: strings.Repeat("0", crcDigits*int(last+1-first)),
		Hash: strings.Repeat("0", hashDigits),
		CRC:  strings.Repeat("0", crcDigits),
	}
	if key != nil {
		s.Key = publicHex(key)
		s.Signature = strings.Repeat("0", signatureDigits)
	}
	return s
}

// publicHex is the public half of a key, as a seal names it.
func publicHex(key ed25519.PrivateKey) string {
	return hex.EncodeToString(key.Public().(ed25519.PublicKey))
}

// value finds the digits of a field in the line of a seal. No text in it holds an
// unescaped quote, so the name can be nowhere else.
func value(line []byte, name string, digits int) ([]byte, int) {
	at := bytes.Index(line, []byte(`"`+name+`":"`))
	if at < 0 {
		return nil, 0
	}
	at += len(name) + len(`"":"`)
	if at+digits > len(line) {
		return nil, 0
	}
	return line[at : at+digits], at
}

// A chain is what the next seal of a file will seal: all bytes from the line of
// the last one on, or from the beginning of the file.
type chain struct {
	sha  hash.Hash
	crcs []byte // of the lines since, in hexadecimal
}

func newChain() *chain { return &chain{sha: sha256.New()} }

// lines takes in some that are no seals, with their newlines.
func (c *chain) lines(text []byte) {
	_, _ = c.sha.Write(text)
	for line := range bytes.Lines(text) {
		c.crcs = appendCRC(c.crcs, crcOf(line))
	}
}

func appendCRC(b []byte, crc uint32) []byte {
	return hex.AppendEncode(b, []byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
}

// restart begins the chain of a file.
func (c *chain) restart() {
	c.sha.Reset()
	c.crcs = c.crcs[:0]
}

// after begins the chain behind a seal.
func (c *chain) after(seal []byte) {
	c.restart()
	_, _ = c.sha.Write(seal)
}

// complete fills a blank seal in. It returns the hash, in hexadecimal.
func (c *chain) complete(seal []byte, key ed25519.PrivateKey) []byte {
	crcs, _ := value(seal, "crcs", len(c.crcs))
	copy(crcs, c.crcs)
	sum, at := value(seal, "hash", hashDigits)
	_, _ = c.sha.Write(seal[:at])
	hex.Encode(sum, c.sha.Sum(nil))
	if key != nil {
		signature, _ := value(seal, "signature", signatureDigits)
		hex.Encode(signature, ed25519.Sign(key, sum))
	}
	crc, at := value(seal, "crc", crcDigits)
	copy(crc, appendCRC(nil, crcOf(seal[:at])))
	c.after(seal)
	return sum
}

// Why a seal does not hold.
var (
	errSealLine  = errors.New("the seal itself was altered")
	errSealed    = errors.New("what it seals was altered")
	errSignature = errors.New("the signature is not that of its key")
)

// check says whether a seal is whole and holds.
func (c *chain) check(text []byte) (*event.Seal, error) {
	e, err := event.Parse(text)
	if err != nil || e.Seal == nil || !bytes.Equal(append(e.AppendJSON(nil), '\n'), text) {
		return nil, errSealLine
	}
	s := e.Seal
	if !wellFormed(s) {
		return nil, errSealLine
	}
	if _, at := value(text, "crc", crcDigits); at == 0 || s.CRC != string(appendCRC(nil, crcOf(text[:at]))) {
		return nil, errSealLine
	}
	_, at := value(text, "hash", hashDigits)
	if at == 0 {
		return nil, errSealLine
	}
	_, _ = c.sha.Write(text[:at])
	if s.Hash != hex.EncodeToString(c.sha.Sum(nil)) {
		return s, errSealed
	}
	if s.Key != "" && !signed(s) {
		return s, errSignature
	}
	return s, nil
}

// wellFormed says whether a seal has the lengths that it must have.
func wellFormed(s *event.Seal) bool {
	return s.Last+1 >= s.First && s.Last+1-s.First <= mostPlaces && len(s.CRCs) == crcDigits*int(s.Last+1-s.First) &&
		len(s.Hash) == hashDigits && len(s.CRC) == crcDigits &&
		(s.Key == "" && s.Signature == "" || len(s.Key) == 2*ed25519.PublicKeySize && len(s.Signature) == signatureDigits)
}

func signed(s *event.Seal) bool {
	key, err := hex.DecodeString(s.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return false
	}
	signature, err := hex.DecodeString(s.Signature)
	return err == nil && ed25519.Verify(key, []byte(s.Hash), signature)
}

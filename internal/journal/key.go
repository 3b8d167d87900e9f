package journal

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Blocks of PEM files, as openssl genpkey and openssl pkey -pubout write them.
const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

// mostKey is how much of a file is read that ought to be a key, in bytes.
const mostKey = 64 << 10

// NewKey makes a key to sign seals with, in the file of that name, which only its
// owner may read, and its public half beside it, as name.pub. It overwrites
// neither.
func NewKey(name string) (ed25519.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	for _, half := range []string{name, name + ".pub"} {
		if _, err := os.Lstat(half); err == nil {
			return nil, thereAlready(half)
		}
	}
	for _, f := range []struct {
		name  string
		mode  os.FileMode
		block pem.Block
	}{
		{name, 0o600, pem.Block{Type: privateBlock, Bytes: pkcs8}},
		{name + ".pub", 0o644, pem.Block{Type: publicBlock, Bytes: pkix}},
	} {
		if err := create(f.name, f.mode, pem.EncodeToMemory(&f.block)); err != nil {
			if f.name != name { // one half alone is no key
				err = errors.Join(err, os.Remove(name))
			}
			return nil, err
		}
	}
	return public, nil
}

func thereAlready(name string) error {
	return fmt.Errorf("%s is there already: name another file", name)
}

func create(name string, mode os.FileMode, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return thereAlready(name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name)) // half a key is none
	}
	return nil
}

// PrivateKey reads what NewKey has made. The file must be its owner's alone.
func PrivateKey(name string) (ed25519.PrivateKey, error) {
	f, info, err := openKey(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key %s: others may read it: chmod go= %s", name, name)
	}
	block, err := readBlock(f, privateBlock)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if private, ok := key.(ed25519.PrivateKey); err == nil && ok {
		return private, nil
	}
	return nil, fmt.Errorf("key %s: no Ed25519 key: make one with ipctrace keygen", name)
}

// PublicKey reads the public half, or takes the 64 hexadecimal digits that a seal
// has of it.
func PublicKey(name string) (ed25519.PublicKey, error) {
	if key, err := hex.DecodeString(name); err == nil && len(key) == ed25519.PublicKeySize {
		return key, nil
	}
	f, _, err := openKey(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	block, err := readBlock(f, publicBlock)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	key, err := x509.ParsePKIXPublicKey(block)
	if public, ok := key.(ed25519.PublicKey); err == nil && ok {
		return public, nil
	}
	return nil, fmt.Errorf("key %s: no public Ed25519 key", name)
}

// openKey waits for nobody: a pipe is no key.
func openKey(name string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("key %s: not a regular file", name)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func readBlock(r io.Reader, kind string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostKey))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("holds no %s in PEM", kind)
	}
	return block.Bytes, nil
}

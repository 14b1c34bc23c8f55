package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// makeDir makes the directory, or checks the one that is there.
func (v *Vault) makeDir() error {
	if err := os.MkdirAll(filepath.Dir(v.Dir), 0o755); err != nil {
		return fmt.Errorf("the directory of profiles cannot be made: %w", err)
	}
	if err := os.Mkdir(v.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("the directory of profiles cannot be made: %w", err)
	}
	return v.checkDir()
}

// checkDir refuses a directory in which another user could put or find a file.
func (v *Vault) checkDir() error {
	info, err := os.Stat(v.Dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", v.Dir)
	}
	return checkPrivate(v.Dir, info, "chmod 700")
}

// readPrivate reads a regular file that this user alone can read.
func readPrivate(path string, max int64) ([]byte, error) {
	f, err := openNoFollow(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%s is a symbolic link, which is not followed; put the file itself there", path)
		}
		return nil, fmt.Errorf("the file cannot be opened: %w", err)
	}
	defer f.Close()
	// Of the open file, not of the name: nobody can exchange it any more.
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("the file cannot be examined: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	if err := checkPrivate(path, info, "chmod 600"); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	if int64(len(b)) > max {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, max)
	}
	return b, nil
}

// replace puts a finished file in the place of path. os.CreateTemp opens with
// O_EXCL and mode 0600, under a name that nobody can guess, so that no link can
// wait there; a rename within one directory is atomic on local disks and NFS.
func (v *Vault) replace(path string, b []byte) (err error) {
	failed := func(err error) error { return fmt.Errorf("the profile was not saved: %w", err) }
	f, err := os.CreateTemp(v.Dir, ".new-*")
	if err != nil {
		return failed(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return failed(err)
	}
	syncDir(v.Dir)
	return nil
}

// syncDir makes a rename last through a power failure, where the system can. A
// failure costs that much and no more, so it is no error.
func syncDir(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	_ = d.Sync()
	_ = d.Close()
}

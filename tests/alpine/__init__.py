"""Alpine, by the real apk of its minirootfs archives, from a mirror that is rebuilt from them and signed anew."""

# Runs in a mount namespace of its own: `DIRECTORY… -- WORKING_DIRECTORY PROGRAM ARGUMENT…`.
# Leaves of the file system the operating system's programs and settings, the directories
# that are named, at their own paths, and a few devices; then becomes the program.
set -eu
umask 022
PATH=/usr/bin:/bin:/usr/sbin:/sbin

# The stage: what is kept is held here while all else is covered.
mount -t tmpfs -o mode=0755 tmpfs /sys
number=0
for directory in "$@"; do
    if [ "$directory" = -- ]; then break; fi
    mkdir "/sys/$number"
    mount --rbind -- "$directory" "/sys/$number"
    number=$((number + 1))
done
mkdir /sys/dev
for device in null zero full random urandom; do
    : >"/sys/dev/$device"
    mount --bind "/dev/$device" "/sys/dev/$device"
done

cover() {
    mount -t tmpfs -o "mode=$2,size=64m" tmpfs "$1"
}
for directory in /* /.[!.]* /..?* /usr/local/*; do
    case $directory in
        /bin | /sbin | /lib | /lib32 | /lib64 | /libx32 | /usr | /etc) continue ;;
        /usr/local/bin | /usr/local/sbin | /usr/local/lib | /usr/local/lib64) continue ;;
        /usr/local/etc | /usr/local/libexec | /usr/local/share) continue ;;
        /dev | /proc | /sys) continue ;;
    esac
    # What a link leads to is covered where it is, or kept.
    if [ -d "$directory" ] && [ ! -L "$directory" ]; then
        case $directory in
            /tmp) cover "$directory" 1777 ;;
            *) cover "$directory" 0755 ;;
        esac
    fi
done
mount --rbind /sys/dev /dev

number=0
while [ "$1" != -- ]; do
    mkdir -p -- "$1"
    mount --rbind -- "/sys/$number" "$1"
    number=$((number + 1))
    shift
done
cover /sys 0755
# Last: the programs above read it.
cover /proc 0755

# Not where it was before: from there a way leads up into what is covered.
cd -- "$2"
shift 2
exec "$@"

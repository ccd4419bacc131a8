# Becomes the first process of a machine of its own, in namespaces that have just been made:
#     machine.sh begin PLACE GROUP INIT…
# PLACE is a directory in which the machine's changes of the files are kept, GROUP the name of the
# control group that it gets, and INIT the command that is its first process.
set -eu
step=$1 place=$2
shift 2

if [ "$step" = begin ]; then
    group=$1
    shift
    mount --make-rprivate /
    # Its control groups are below one of its own, which it takes for the root of them all.
    mount -t cgroup2 cgroup2 "$place/root"
    mkdir -p "$place/root/$group"
    echo 0 >"$place/root/$group/cgroup.procs"
    umount "$place/root"
    exec unshare --cgroup sh "$0" inside "$place" "$@"
fi

mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root"
while read -r target source; do
    mkdir -p "$place/root$target"
    mount --bind "$source" "$place/root$target"
    mount -o remount,bind,ro "$place/root$target"
done <"$place/shown"
cd "$place/root"
mount -t proc proc proc
# The settings of the kernel are everybody's: not even this root changes them.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts
for node in null zero full random urandom tty; do
    touch "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
# Not a chroot: in one, the kernel lets nobody make a user namespace, and Chromium needs one.
mkdir run/old
pivot_root . run/old
cd /
umount -l run/old
rmdir run/old
# As systemd has it where it is no guest: it hands over credentials by mounts that spread.
mount --make-rshared /
# A Python that somebody has built for themselves looks for its library where nobody else may.
ldconfig /opt/python/lib
exec setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-syslog,-wake_alarm \
    env -i container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"

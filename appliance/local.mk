# iovd. Each room is a convenience library, so that unit tests and fuzzers link only what they drive.
include appliance/loop/local.mk
include appliance/media/local.mk
include appliance/vpc/local.mk
include appliance/adapters/local.mk
include appliance/iove/local.mk

include appliance/host/local.mk
include appliance/link/local.mk
include appliance/control/local.mk
include appliance/systemd/local.mk

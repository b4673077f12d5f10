# appliance/media

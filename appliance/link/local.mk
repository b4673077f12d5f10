# appliance/link

# appliance/control

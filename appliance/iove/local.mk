# appliance/iove
